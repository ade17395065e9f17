use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tonic::transport::server::Connected;

use crate::client_certificates::ShownCertificate;

/// What a client of HTTP/2 sends first: 24 bytes (RFC 9113 section 3.4).
pub(crate) const PREFACE_BYTES: usize = 24;

/// A connection whose first bytes were read already: they are read again.
pub struct Replay<S> {
    read: [u8; PREFACE_BYTES],
    replayed: usize,
    inner: S,
    certificate: Option<Arc<ShownCertificate>>,
}

/// What is known of a connection, with the certificate that its client has shown.
#[derive(Clone)]
pub struct WithCertificate<I> {
    pub(crate) inner: I,
    pub(crate) certificate: Option<Arc<ShownCertificate>>,
}

impl<S: AsyncRead + Unpin> Replay<S> {
    /// Waits until a client has begun.
    pub(crate) async fn after_preface(
        mut inner: S,
        certificate: Option<Arc<ShownCertificate>>,
    ) -> io::Result<Self> {
        let mut read = [0; PREFACE_BYTES];
        inner.read_exact(&mut read).await?;
        Ok(Self { read, replayed: 0, inner, certificate })
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Replay<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let left = PREFACE_BYTES - self.replayed;
        if left == 0 {
            return Pin::new(&mut self.inner).poll_read(context, buffer);
        }
        let count = left.min(buffer.remaining());
        let from = self.replayed;
        buffer.put_slice(&self.read[from..from + count]);
        self.replayed += count;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Replay<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

impl<S: Connected> Connected for Replay<S> {
    type ConnectInfo = WithCertificate<S::ConnectInfo>;

    fn connect_info(&self) -> Self::ConnectInfo {
        WithCertificate { inner: self.inner.connect_info(), certificate: self.certificate.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_byte_is_read_once_and_in_order() {
        let sent: Vec<u8> = (0..100).collect();
        let mut connection = Replay::after_preface(sent.as_slice(), None).await.unwrap();
        let mut read = [0; 5];
        let mut all = Vec::new();
        while let Ok(count @ 1..) = connection.read(&mut read).await {
            all.extend_from_slice(&read[..count]);
        }
        assert_eq!(all, sent);
        assert!(Replay::after_preface(&[0; PREFACE_BYTES - 1][..], None).await.is_err(), "it has hung up");
    }
}
