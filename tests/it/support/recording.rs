//! What a camera sends, packet by packet, taken from a scene over RTSP: to be played again with other times.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use wader::scene::{self, Served};

use super::{broker::within, interleaved};

/// One packet of RTP.
#[derive(Debug, Clone)]
pub(crate) struct Packet {
    pub(crate) bytes: Vec<u8>,
}

impl Packet {
    /// Its time stamp, in units of 1/90 000 s.
    pub(crate) fn time(&self) -> u32 {
        u32::from_be_bytes(self.bytes[4..8].try_into().unwrap())
    }

    /// The same with another sequence number and time stamp, as of one source whoever sent it first.
    pub(crate) fn with(&self, number: u16, time: u32) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        bytes[2..4].copy_from_slice(&number.to_be_bytes());
        bytes[4..8].copy_from_slice(&time.to_be_bytes());
        bytes[8..12].copy_from_slice(b"evil");
        bytes
    }
}

/// A stretch of a stream; begins with a key frame, and ends with a whole picture.
#[derive(Debug, Clone)]
pub(crate) struct Recording {
    /// The stream's description.
    pub(crate) sdp: String,
    pub(crate) packets: Vec<Packet>,
}

impl Recording {
    /// Serves a scene and takes down so many of its pictures.
    pub(crate) async fn of(spec: scene::Spec, pictures: usize) -> Self {
        let attempt = async {
            loop {
                let served = scene::serve(spec.clone(), 0).unwrap();
                let taken = Self::take(&served, pictures).await;
                // A busy machine leaves holes, which would be played, too.
                if taken.longest_hole() < 90_000 {
                    return taken;
                }
            }
        };
        within("the scene is recorded", attempt).await
    }

    /// The longest time from one packet to the next, by their time stamps.
    fn longest_hole(&self) -> u32 {
        let steps = self.packets.windows(2).map(|pair| pair[1].time().wrapping_sub(pair[0].time()));
        steps.max().unwrap_or_default()
    }

    async fn take(served: &Served, pictures: usize) -> Self {
        let mut viewer =
            Viewer { stream: TcpStream::connect(("127.0.0.1", served.port())).await.unwrap(), had: Vec::new() };
        let url = served.url();
        let described = viewer.ask(&format!("DESCRIBE {url} RTSP/1.0\r\nAccept: application/sdp\r\n")).await;
        let sdp = described.split_once("\r\n\r\n").unwrap().1.to_owned();
        let transport = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n";
        let control = sdp.lines().filter_map(|line| line.strip_prefix("a=control:")).next_back().unwrap();
        let set_up = viewer.ask(&format!("SETUP {url}/{control} RTSP/1.0\r\n{transport}")).await;
        let session = set_up.lines().find_map(|line| line.strip_prefix("Session:")).unwrap();
        let session = session.split(';').next().unwrap().trim().to_owned();
        viewer.ask(&format!("PLAY {url} RTSP/1.0\r\nSession: {session}\r\n")).await;
        let (mut packets, mut seen) = (Vec::new(), 0);
        while seen < pictures {
            let unit = viewer.unit().await;
            if unit[0] != b'$' || unit[1] != 0 {
                continue;
            }
            // The marker bit stands at a picture's last packet.
            seen += usize::from(unit[5] & 0x80 != 0);
            packets.push(Packet { bytes: unit[4..].to_vec() });
        }
        Self { sdp, packets }
    }

    /// From the first packet to the end of the last picture, by the stream's own time stamps.
    pub(crate) fn length(&self) -> u32 {
        let (first, last) = (&self.packets[0], &self.packets[self.packets.len() - 1]);
        let pictures = self.packets.iter().filter(|packet| packet.bytes[1] & 0x80 != 0).count();
        let whole = last.time().wrapping_sub(first.time());
        whole + whole / u32::try_from(pictures.max(2) - 1).unwrap()
    }
}

struct Viewer {
    stream: TcpStream,
    had: Vec<u8>,
}

impl Viewer {
    async fn unit(&mut self) -> Vec<u8> {
        loop {
            if let Some(length) = interleaved::length(&self.had) {
                return self.had.drain(..length).collect();
            }
            let mut more = [0; 4096];
            let count = self.stream.read(&mut more).await.unwrap();
            assert!(count > 0, "the scene hung up");
            self.had.extend_from_slice(&more[..count]);
        }
    }

    async fn ask(&mut self, request: &str) -> String {
        self.stream.write_all(format!("{request}CSeq: 1\r\n\r\n").as_bytes()).await.unwrap();
        loop {
            let unit = self.unit().await;
            if unit[0] != b'$' {
                let answer = String::from_utf8(unit).unwrap();
                assert!(answer.starts_with("RTSP/1.0 200"), "{answer}");
                return answer;
            }
        }
    }
}
