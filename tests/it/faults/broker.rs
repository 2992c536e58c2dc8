//! A broker that takes messages as any other and acknowledges them as it should not.

use std::collections::BTreeMap;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, tcp::OwnedWriteHalf},
    sync::watch,
    task::JoinSet,
};
use wader::mqtt::Access;

/// How it acknowledges what comes in its first connection; in later ones it is as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// Not at all.
    Never,
    /// Each but the third.
    AllButOne,
    /// Ten at a time, in an order of chance; in later connections, too.
    Shuffled,
}

/// The broker; ends when dropped.
pub(super) struct Evil {
    port: u16,
    /// How often each payload arrived.
    pub(super) seen: watch::Receiver<BTreeMap<String, u32>>,
    /// Connections so far.
    pub(super) connections: watch::Receiver<u32>,
    _task: JoinSet<()>,
}

impl Evil {
    pub(super) async fn start(manner: Manner, chance: fastrand::Rng) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (saw, seen) = watch::channel(BTreeMap::new());
        let (counted, connections) = watch::channel(0);
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut chance = chance;
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                counted.send_modify(|count| *count += 1);
                let first = *counted.borrow() == 1;
                let manner = (first || manner == Manner::Shuffled).then_some(manner);
                serve(stream, manner, &saw, &mut chance).await.ok();
            }
        });
        Self { port, seen, connections, _task: task }
    }

    pub(super) fn access(&self) -> Access {
        Access::parse(&format!("mqtt://127.0.0.1:{}", self.port)).unwrap()
    }
}

async fn serve(
    stream: TcpStream,
    manner: Option<Manner>,
    saw: &watch::Sender<BTreeMap<String, u32>>,
    chance: &mut fastrand::Rng,
) -> std::io::Result<()> {
    let (mut read, mut write) = stream.into_split();
    let (mut published, mut held) = (0, Vec::new());
    loop {
        let kind = read.read_u8().await?;
        let mut packet = vec![0; remaining(&mut read).await?];
        read.read_exact(&mut packet).await?;
        match kind >> 4 {
            // CONNECT: no session, success, no properties
            1 => write.write_all(&[0x20, 3, 0, 0, 0]).await?,
            3 => {
                let (id, payload) = publish(&packet);
                saw.send_modify(|seen| *seen.entry(payload).or_insert(0) += 1);
                published += 1;
                match manner {
                    Some(Manner::Never) => {}
                    Some(Manner::AllButOne) if published == 3 => {}
                    Some(Manner::Shuffled) => held.push(id),
                    Some(Manner::AllButOne) | None => acknowledge(&mut write, id).await?,
                }
                if held.len() == 10 {
                    chance.shuffle(&mut held);
                    for id in held.drain(..) {
                        acknowledge(&mut write, id).await?;
                    }
                }
            }
            12 => write.write_all(&[0xD0, 0]).await?,
            14 => return Ok(()),
            _ => {}
        }
    }
}

async fn acknowledge(write: &mut OwnedWriteHalf, id: u16) -> std::io::Result<()> {
    let [high, low] = id.to_be_bytes();
    write.write_all(&[0x40, 2, high, low]).await
}

/// Packet identifier and payload of a PUBLISH with QoS 1.
fn publish(packet: &[u8]) -> (u16, String) {
    let number = |at: usize| u16::from_be_bytes([packet[at], packet[at + 1]]);
    let id_at = 2 + usize::from(number(0));
    // shorter than 128 bytes here, so that their length is one byte
    let properties_at = id_at + 2;
    let payload_at = properties_at + 1 + usize::from(packet[properties_at]);
    (number(id_at), String::from_utf8_lossy(&packet[payload_at..]).into_owned())
}

async fn remaining(read: &mut (impl AsyncReadExt + Unpin)) -> std::io::Result<usize> {
    let (mut length, mut shift) = (0, 0);
    loop {
        let byte = read.read_u8().await?;
        length |= usize::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            return Ok(length);
        }
        shift += 7;
    }
}
