"""The layout of frame features: what each number of an object token and of the picture token means.

Everything that writes features (the encoder graph, the simulator) and everything that reads them (the
resampler, the hand-written rules) takes its indices from here.
"""

HEIGHT, WIDTH = 288, 384
OBJECTS = 24  # object tokens of a frame, strongest first
TOKENS = OBJECTS + 1  # the last one is the picture token
COLOUR_WORDS = 11  # ten names of colours and skin: see `encoder/colour_words.py`
DIM = 24 + 2 * COLOUR_WORDS

# object token
BOX = slice(0, 4)  # x0, y0, x1, y1 as fractions of the picture
HEATS = slice(4, 16)  # class-group heights, floors cut
UPPER = slice(16, 19)  # median RGB of the upper half of the box
LOWER = slice(19, 22)  # median RGB of the lower half
VALID = 22  # 1 for a kept object
PICTURE = 23  # 1 for the picture token
UPPER_WORDS = slice(24, 24 + COLOUR_WORDS)  # how much of the upper half looks like each colour word
LOWER_WORDS = slice(24 + COLOUR_WORDS, DIM)

# picture token
MEAN_RGB = slice(0, 3)
STD_RGB = slice(3, 6)
LAYOUT = slice(6, 18)  # brightness of a grid of 3 rows and 4 columns
SHARPNESS = 18
EDGES = 19  # the strongest edges anywhere: near 0 only where the whole picture is out of focus

GROUPS = {
    "person": ("person",),
    "bicycle": ("bicycle",),
    "motorcycle": ("motorcycle",),
    "car": ("car",),
    "big_vehicle": ("bus", "truck", "train"),
    "bird": ("bird",),
    "cat": ("cat",),
    "dog": ("dog",),
    "animal": ("horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe"),
    "bag": ("backpack", "handbag", "suitcase"),
    "umbrella": ("umbrella",),
    "ball": ("sports ball", "frisbee"),
}
GROUP_NAMES = tuple(GROUPS)
PERSON, BICYCLE, MOTORCYCLE, CAR, BIG_VEHICLE, BIRD, CAT, DOG, ANIMAL, BAG, UMBRELLA, BALL = range(12)

MIN_HEIGHT = 0.15  # peaks below are dropped
FLOOR_CUT = 0.4  # heats below this part of a token's best heat are set to 0
OVERLAP = 0.5  # class-agnostic overlap removal
PART_INSIDE, PART_HEIGHT = 0.75, 0.6  # so much inside a stronger box and so much weaker: a part of it

COCO = (
    "person,bicycle,car,motorcycle,airplane,bus,train,truck,boat,traffic light,fire hydrant,stop sign,"
    "parking meter,bench,bird,cat,dog,horse,sheep,cow,elephant,bear,zebra,giraffe,backpack,umbrella,"
    "handbag,tie,suitcase,frisbee,skis,snowboard,sports ball,kite,baseball bat,baseball glove,skateboard,"
    "surfboard,tennis racket,bottle,wine glass,cup,fork,knife,spoon,bowl,banana,apple,sandwich,orange,"
    "broccoli,carrot,hot dog,pizza,donut,cake,chair,couch,potted plant,bed,dining table,toilet,tv,laptop,"
    "mouse,remote,keyboard,cell phone,microwave,oven,toaster,sink,refrigerator,book,clock,vase,scissors,"
    "teddy bear,hair drier,toothbrush"
).split(",")
