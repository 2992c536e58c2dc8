"""Shapes that the encoder, the comparer, their training and the manifest share."""

ROWS, COLUMNS = 12, 20
CELLS = ROWS * COLUMNS
DIM = 95  # 48 of the deep map, 32 of the fine map's four parts, four mean colours and one spread
FRAMES = 3  # a window's features are the median over its newest frames
MAX_EXAMPLES = 16
ABSENT = -1

# Refused: four examples or more of each state, and the left-out ones get less than this on average.
MIN_PROBABILITY = 0.8
MIN_PAIRS = 4

# The network's own picture: 16 pixels a cell.
NET_HEIGHT, NET_WIDTH = 16 * ROWS, 16 * COLUMNS
# A cell's raw features: the deep map; the fine map (8 pixels) and mean colours in each quarter; the colours' spread.
QUARTERS = 4
DEEP, FINE, COLOURS = 112, 40 * QUARTERS, 3 * QUARTERS + 3
RAW = DEEP + FINE + COLOURS
