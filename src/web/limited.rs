//! A listener that holds no more than a few connections, and each for no longer than a while: whoever opens thousands must not
//! take the descriptors that cameras need, and whoever opens some and says nothing must not keep the page from others.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::serve::Listener;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Sleep, sleep},
};

/// Connections at a time; others wait in the kernel's queue.
const CONNECTIONS: usize = 16;

/// After so long a connection is closed, whatever goes on in it: who has more to ask opens another.
const LONGEST: Duration = Duration::from_secs(30);

pub(super) struct Limited {
    listener: TcpListener,
    free: Arc<Semaphore>,
}

impl Limited {
    pub(super) fn new(listener: TcpListener) -> Self {
        Self { listener, free: Arc::new(Semaphore::new(CONNECTIONS)) }
    }
}

impl Listener for Limited {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        loop {
            // never closed
            let Ok(place) = Arc::clone(&self.free).acquire_owned().await else { continue };
            // waits a moment where the process has no descriptor left
            let (stream, address) = Listener::accept(&mut self.listener).await;
            return (Connection { stream, ends: Box::pin(sleep(LONGEST)), _place: place }, address);
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection, which gives its place back when it ends.
pub(super) struct Connection {
    stream: TcpStream,
    ends: Pin<Box<Sleep>>,
    _place: OwnedSemaphorePermit,
}

impl Connection {
    /// An error once its time is over; else wakes whoever waits for it when it is.
    fn in_time(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        match self.ends.as_mut().poll(cx) {
            Poll::Ready(()) => Err(io::ErrorKind::TimedOut.into()),
            Poll::Pending => Ok(()),
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.in_time(cx)?;
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.in_time(cx)?; // who asks and reads nothing
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.in_time(cx)?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_says_nothing_loses_the_connection_and_others_get_its_place() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut limited = Limited::new(listener);
        let (mut theirs, mut ours) = (Vec::new(), Vec::new());
        for _ in 0..CONNECTIONS {
            theirs.push(TcpStream::connect(address).await.unwrap());
            ours.push(limited.accept().await.0);
        }
        theirs[0].write_all(b"G").await.unwrap();
        assert_eq!(ours[0].read_u8().await.unwrap(), b'G');
        let late = ours[0].read_u8().await.unwrap_err();
        assert_eq!(late.kind(), io::ErrorKind::TimedOut);
        drop(TcpStream::connect(address).await.unwrap());
        assert!(tokio::time::timeout(LONGEST, limited.accept()).await.is_err(), "there is no place");
        ours.pop();
        limited.accept().await;
    }

    #[tokio::test(start_paused = true)]
    async fn who_reads_nothing_loses_the_connection_too() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut limited = Limited::new(listener);
        let _theirs = TcpStream::connect(address).await.unwrap();
        let mut ours = limited.accept().await.0;
        let much = vec![0; 1 << 20];
        let ended = async {
            loop {
                ours.write_all(&much).await?;
            }
        };
        let ended: Result<io::Result<()>, _> = tokio::time::timeout(LONGEST * 2, ended).await;
        assert_eq!(ended.unwrap().unwrap_err().kind(), io::ErrorKind::TimedOut);
    }
}
