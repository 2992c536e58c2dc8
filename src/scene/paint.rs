//! Paints the drawn world. The same truth and size give the same pixels.

use tiny_skia::{
    Color, FillRule, GradientStop, LinearGradient, Paint, Path, PathBuilder, Pixmap, Point, Rect, SpreadMode, Transform,
};

use super::{
    Picture,
    drawn::{Kind, Object, Truth},
};
use crate::frame::Size;

const WALL: ([u8; 3], [u8; 3]) = ([148, 140, 132], [120, 112, 104]);
const WALKWAY: [u8; 3] = [150, 148, 142];
const ROAD: [u8; 3] = [88, 88, 92];
const MARKING: [u8; 3] = [206, 204, 190];
const WINDOW: [u8; 3] = [70, 84, 98];
const SKIN: [u8; 3] = [204, 160, 130];
const TROUSERS: [u8; 3] = [52, 52, 74];
const GATE: [u8; 3] = [236, 234, 226];
const PLANK: [u8; 3] = [176, 174, 168];
const YARD: [u8; 3] = [34, 38, 36];
const TYRE: [u8; 3] = [22, 22, 22];

/// Where the wall ends and the road begins and ends, in fractions of the height.
const WALL_ENDS: f32 = 0.52;
const ROAD_BEGINS: f32 = 0.63;
const ROAD_ENDS: f32 = 0.84;

/// The picture of what is true; `None` for a size without pixels, or beyond memory.
pub(super) fn paint(truth: &Truth, size: Size) -> Option<Picture> {
    let mut canvas = Canvas {
        pixmap: Pixmap::new(size.width, size.height)?,
        width: size.width as f32,
        height: size.height as f32,
        light: truth.light as f32,
    };
    canvas.street();
    if let Some(is_open) = truth.gate_open {
        canvas.gate(is_open);
    }
    for object in &truth.objects {
        match object.kind {
            Kind::Person => canvas.person(object),
            Kind::Car => canvas.car(object),
        }
    }
    Some(Picture { size, rgba: canvas.pixmap.take() })
}

/// Paints in fractions of the picture.
struct Canvas {
    pixmap: Pixmap,
    width: f32,
    height: f32,
    light: f32,
}

impl Canvas {
    fn lit(&self, [r, g, b]: [u8; 3]) -> Color {
        let channel = |value: u8| (f32::from(value) / 255.0 * self.light).clamp(0.0, 1.0);
        Color::from_rgba(channel(r), channel(g), channel(b), 1.0).unwrap_or(Color::BLACK)
    }

    fn paint(&self, colour: [u8; 3]) -> Paint<'static> {
        let mut paint = Paint { anti_alias: true, ..Paint::default() };
        paint.set_color(self.lit(colour));
        paint
    }

    fn fill(&mut self, path: Option<Path>, paint: &Paint<'_>) {
        if let Some(path) = path {
            self.pixmap.fill_path(&path, paint, FillRule::Winding, Transform::identity(), None);
        }
    }

    fn rect(&mut self, [left, top, right, bottom]: [f32; 4], colour: [u8; 3]) {
        let (w, h) = (self.width, self.height);
        let paint = self.paint(colour);
        if let Some(rect) = Rect::from_ltrb(left * w, top * h, right * w, bottom * h) {
            self.pixmap.fill_rect(rect, &paint, Transform::identity(), None);
        }
    }

    fn oval(&mut self, [left, top, right, bottom]: [f32; 4], paint: &Paint<'_>) {
        let (w, h) = (self.width, self.height);
        let rect = Rect::from_ltrb(left * w, top * h, right * w, bottom * h);
        self.fill(rect.and_then(PathBuilder::from_oval), paint);
    }

    fn polygon(&mut self, points: &[(f32, f32)], colour: [u8; 3]) {
        let mut path = PathBuilder::new();
        for (n, &(x, y)) in points.iter().enumerate() {
            let (x, y) = (x * self.width, y * self.height);
            if n == 0 { path.move_to(x, y) } else { path.line_to(x, y) }
        }
        path.close();
        let paint = self.paint(colour);
        self.fill(path.finish(), &paint);
    }

    fn street(&mut self) {
        let stops = vec![GradientStop::new(0.0, self.lit(WALL.0)), GradientStop::new(1.0, self.lit(WALL.1))];
        let (from, to) = (Point::from_xy(0.0, 0.0), Point::from_xy(0.0, self.height * WALL_ENDS));
        if let Some(shader) = LinearGradient::new(from, to, stops, SpreadMode::Pad, Transform::identity())
            && let Some(wall) = Rect::from_ltrb(0.0, 0.0, self.width, self.height * WALL_ENDS)
        {
            let paint = Paint { shader, ..Paint::default() };
            self.pixmap.fill_rect(wall, &paint, Transform::identity(), None);
        }
        for column in 0..5_u8 {
            let left = 0.06 + 0.2 * f32::from(column);
            self.rect([left, 0.28, left + 0.09, 0.42], WINDOW);
        }
        self.rect([0.0, WALL_ENDS, 1.0, ROAD_BEGINS], WALKWAY);
        self.rect([0.0, ROAD_BEGINS, 1.0, ROAD_ENDS], ROAD);
        for dash in 0..8_u8 {
            let left = 0.02 + 0.125 * f32::from(dash);
            self.rect([left, 0.725, left + 0.06, 0.735], MARKING);
        }
        self.rect([0.0, ROAD_ENDS, 1.0, 1.0], WALKWAY);
    }

    /// Between two windows: planks, or the dark yard behind them.
    fn gate(&mut self, is_open: bool) {
        let [left, top, right] = [0.355, 0.28, 0.455];
        self.rect([left, top, right, WALL_ENDS], if is_open { YARD } else { GATE });
        if is_open {
            // its wings, seen from the edge
            self.rect([left, top, left + 0.008, WALL_ENDS], GATE);
            self.rect([right - 0.008, top, right, WALL_ENDS], GATE);
            return;
        }
        for plank in 1..5_u8 {
            let at = left + (right - left) * f32::from(plank) / 5.0;
            self.rect([at - 0.001, top, at + 0.001, WALL_ENDS], PLANK);
        }
    }

    fn shadow(&mut self, left: f32, right: f32, ground: f32, height: f32) {
        let mut paint = Paint { anti_alias: true, ..Paint::default() };
        paint.set_color_rgba8(0, 0, 0, 80);
        self.oval([left, ground - height * 0.05, right, ground + height * 0.04], &paint);
    }

    fn person(&mut self, person: &Object) {
        let [left, top, right, bottom] = person.bounds.map(|edge| edge as f32);
        let (width, height) = (right - left, bottom - top);
        let centre = (left + right) / 2.0;
        self.shadow(left, right, bottom, height);
        // Two steps a body height.
        let swing = (person.walked as f32 * std::f32::consts::TAU).sin() * width * 0.35;
        let hip = top + height * 0.55;
        let thick = width * 0.14;
        for foot in [centre + swing, centre - swing] {
            let legs = [(centre - thick, hip), (centre + thick, hip), (foot + thick, bottom), (foot - thick, bottom)];
            self.polygon(&legs, TROUSERS);
        }
        let (shoulder, jacket) = (top + height * 0.17, person.colour.rgb());
        let (broad, narrow) = (width * 0.34, width * 0.26);
        let torso = [
            (centre - broad, shoulder),
            (centre + broad, shoulder),
            (centre + narrow, hip + height * 0.03),
            (centre - narrow, hip + height * 0.03),
        ];
        self.polygon(&torso, jacket);
        let hand = centre - swing * 0.8;
        let arm = [(centre - thick, shoulder), (centre + thick, shoulder), (hand, hip), (hand - thick, hip)];
        self.polygon(&arm, jacket);
        // A round head, whatever the picture's sides: as high as a sixth of the body.
        let radius = height * 0.085;
        let across = radius * self.height / self.width;
        let nose = person.facing as f32 * across * 0.15;
        let skin = self.paint(SKIN);
        self.oval([centre + nose - across, top, centre + nose + across, top + 2.0 * radius], &skin);
    }

    fn car(&mut self, car: &Object) {
        let [left, top, right, bottom] = car.bounds.map(|edge| edge as f32);
        let (width, height) = (right - left, bottom - top);
        let colour = car.colour.rgb();
        self.shadow(left, right, bottom, height);
        // Drawn facing right, mirrored otherwise.
        let x = |share: f32| if car.facing > 0.0 { left + width * share } else { right - width * share };
        let y = |share: f32| top + height * share;
        self.polygon(&[(x(0.18), y(0.45)), (x(0.30), y(0.0)), (x(0.66), y(0.0)), (x(0.80), y(0.45))], colour);
        self.polygon(&[(x(0.24), y(0.43)), (x(0.33), y(0.09)), (x(0.63), y(0.09)), (x(0.73), y(0.43))], WINDOW);
        let body = [(0.0, 0.45), (0.84, 0.42), (0.99, 0.55), (1.0, 0.85), (0.0, 0.85)];
        self.polygon(&body.map(|(across, down)| (x(across), y(down))), colour);
        let radius = height * 0.2;
        let across = radius * self.height / self.width;
        let tyre = self.paint(TYRE);
        for wheel in [x(0.2), x(0.79)] {
            self.oval([wheel - across, bottom - 2.0 * radius, wheel + across, bottom], &tyre);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::drawn::truth, *};

    #[test]
    fn the_same_seed_paints_the_same_pixels() {
        let size = Size { width: 160, height: 120 };
        let picture = |seed, time_s| paint(&truth(seed, time_s), size).unwrap().rgba;
        assert_eq!(picture(5, 12.4), picture(5, 12.4));
        assert_ne!(picture(5, 12.4), picture(5, 14.4));
        assert_ne!(picture(5, 12.4), picture(6, 12.4));
    }

    #[test]
    fn a_gate_changes_the_picture_where_it_is_and_nowhere_else() {
        let size = Size { width: 320, height: 240 };
        let paint = |gate_open| paint(&Truth { gate_open, objects: Vec::new(), ..truth(2, 0.0) }, size).unwrap().rgba;
        let (none, open, shut) = (paint(None), paint(Some(true)), paint(Some(false)));
        let differ = |a: &[u8], b: &[u8]| -> Vec<(usize, usize)> {
            let pixels = a.chunks(4).zip(b.chunks(4)).enumerate();
            pixels.filter(|(_, (a, b))| a != b).map(|(place, _)| (place % 320, place / 320)).collect()
        };
        for pair in [differ(&open, &shut), differ(&none, &open), differ(&none, &shut)] {
            assert!(pair.len() > 1000 && pair.iter().all(|(x, y)| (113..=146).contains(x) && (67..=125).contains(y)));
        }
    }

    #[test]
    fn what_is_true_can_be_seen() {
        let size = Size { width: 320, height: 240 };
        for second in 0..120 {
            let truth = truth(2, f64::from(second));
            let empty = paint(&Truth { objects: Vec::new(), ..truth.clone() }, size).unwrap();
            let full = paint(&truth, size).unwrap();
            for object in truth.objects.iter().filter(|object| object.visible() > 0.9) {
                let [left, top, right, bottom] = object.bounds;
                let (x, y) = ((left + right) / 2.0 * 320.0, (top + (bottom - top) * 0.3) * 240.0);
                let at = (y as usize * 320 + (x as usize).min(319)) * 4;
                assert_ne!(full.rgba[at..at + 4], empty.rgba[at..at + 4], "{object:?} at {second} s");
            }
        }
    }
}
