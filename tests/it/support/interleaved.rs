//! RTSP with RTP between its lines (RFC 2326, 10.12): finds the packets in what a camera sends, and harms them.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// An RTP header without extensions.
const HEADER: usize = 12;

/// What happens to packets, each with a probability.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Harm {
    /// A packet is lost.
    pub(crate) lose: f64,
    /// A packet comes after the one behind it.
    pub(crate) swap: f64,
    /// A bit behind a packet's header is flipped.
    pub(crate) flip: f64,
    /// The packet with this sequence number is lost.
    pub(crate) drop: Option<u16>,
}

impl Harm {
    pub(crate) const NONE: Self = Self { lose: 0.0, swap: 0.0, flip: 0.0, drop: None };
}

/// One direction of a connection, as it comes.
pub(crate) struct Interleaved {
    pending: Vec<u8>,
    held: Option<Vec<u8>>,
    chance: fastrand::Rng,
    harmed: Arc<AtomicU64>,
}

impl Interleaved {
    pub(crate) fn new(seed: u64, harmed: Arc<AtomicU64>) -> Self {
        Self { pending: Vec::new(), held: None, chance: fastrand::Rng::with_seed(seed), harmed }
    }

    /// Takes what came, and gives what goes on; an unfinished packet or message waits for its rest.
    pub(crate) fn pass(&mut self, data: &[u8], harm: Harm) -> Vec<u8> {
        self.pending.extend_from_slice(data);
        let mut onwards = Vec::with_capacity(self.pending.len());
        while let Some(length) = length(&self.pending) {
            let unit: Vec<u8> = self.pending.drain(..length).collect();
            // Channels with even numbers are RTP, the others RTCP.
            if unit[0] != b'$' || unit[1] % 2 == 1 || unit.len() < 4 + HEADER {
                onwards.extend(unit);
                continue;
            }
            let Some(unit) = self.harm(unit, harm) else { continue };
            if self.held.is_none() && self.chance.f64() < harm.swap {
                self.held = Some(unit);
                self.harmed.fetch_add(1, Ordering::Relaxed);
                continue;
            }
            onwards.extend(unit);
            onwards.extend(self.held.take().into_iter().flatten());
        }
        onwards
    }

    fn harm(&mut self, mut unit: Vec<u8>, harm: Harm) -> Option<Vec<u8>> {
        let number = u16::from_be_bytes([unit[6], unit[7]]);
        if harm.drop == Some(number) || self.chance.f64() < harm.lose {
            self.harmed.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        if harm.flip > 0.0 {
            let mut at = self.gap(harm.flip);
            let bits = (unit.len() - 4 - HEADER) * 8;
            let before = at;
            while at < bits {
                unit[4 + HEADER + at / 8] ^= 1 << (at % 8);
                at += 1 + self.gap(harm.flip);
            }
            if before < bits {
                self.harmed.fetch_add(1, Ordering::Relaxed);
            }
        }
        Some(unit)
    }

    /// How many bits stay as they are before the next that is flipped.
    fn gap(&mut self, probability: f64) -> usize {
        ((1.0 - self.chance.f64()).ln() / (1.0 - probability).ln()) as usize
    }
}

/// How long the packet or message at the beginning is, once all of it is there.
pub(crate) fn length(bytes: &[u8]) -> Option<usize> {
    if *bytes.first()? == b'$' {
        let length = 4 + usize::from(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?]));
        return (bytes.len() >= length).then_some(length);
    }
    let head = bytes.windows(4).position(|end| end == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
    let body = text.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok()).unwrap_or(0);
    (bytes.len() >= head + body).then_some(head + body)
}

#[test]
fn packets_are_found_between_messages_and_harmed_the_same_with_the_same_seed() {
    let mut stream = b"RTSP/1.0 200 OK\r\nContent-Length: 3\r\n\r\n$$$".to_vec();
    for number in 0..200_u16 {
        stream.extend([b'$', 0, 0, 112, 0x80, 96]);
        stream.extend(number.to_be_bytes());
        stream.extend([7; 108]);
    }
    let harm = Harm { lose: 0.1, swap: 0.1, flip: 1e-3, drop: Some(3) };
    let run = |seed, harm| {
        let mut interleaved = Interleaved::new(seed, Arc::default());
        // In pieces that end anywhere.
        stream.chunks(77).flat_map(|piece| interleaved.pass(piece, harm)).collect::<Vec<u8>>()
    };
    assert_eq!(run(1, Harm::NONE), stream);
    assert_eq!(run(1, harm), run(1, harm));
    assert_ne!(run(1, harm), run(2, harm));
    let kept = (run(1, harm).len() - 41) / 116;
    assert!((160..195).contains(&kept), "{kept}");
    let one = run(1, Harm { drop: Some(3), ..Harm::NONE });
    assert_eq!(one.len(), stream.len() - 116);
}
