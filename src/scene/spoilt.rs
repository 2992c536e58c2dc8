//! What a camera sends that does not see.

use super::Picture;

/// How a camera's pictures show nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spoilt {
    /// Its pictures are black.
    Black,
    /// A hand is before the lens: its colour, and a soft light on it.
    Covered,
    /// It sends its last picture again and again.
    Frozen,
}

/// The hand's colour where no light falls.
const HAND: [u8; 3] = [170, 122, 98];
/// How much brighter it is where the light falls.
const LIGHT: usize = 30;

/// Spoils one picture after the other.
#[derive(Debug, Default)]
pub(super) struct Spoiler {
    last: Option<Picture>,
}

impl Spoiler {
    /// The picture as the camera sends it.
    pub(super) fn picture(&mut self, picture: Picture, how: Option<Spoilt>) -> Picture {
        match how {
            None => {
                self.last = None;
                picture
            }
            Some(Spoilt::Black) => Picture::filled(picture.size, [0; 3]),
            Some(Spoilt::Covered) => covered(picture),
            Some(Spoilt::Frozen) => {
                self.last.take_if(|last| last.size != picture.size);
                self.last.get_or_insert(picture).clone()
            }
        }
    }
}

fn covered(mut picture: Picture) -> Picture {
    let (width, height) = (picture.size.width as usize, picture.size.height as usize);
    for (number, pixel) in picture.rgba.as_chunks_mut::<4>().0.iter_mut().enumerate() {
        let along = number % width.max(1) + number / width.max(1);
        let light = u8::try_from(along * LIGHT / (width + height).max(1)).unwrap_or(u8::MAX);
        for (value, hand) in pixel.iter_mut().zip(HAND) {
            *value = hand.saturating_add(light);
        }
    }
    picture
}
