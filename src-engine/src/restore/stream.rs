//! Chunks written by a blocking thread: a bounded channel between a reader and the network.
//!
//! A slow client fills the channel and so slows the reader; each download takes a few chunks of memory, whatever its
//! size. Three things must not be confused:
//!
//! - the end: the thread says so, and only then does the body end cleanly;
//! - a failure, or a thread that disappeared without a word (it panicked): the body ends in an error,
//!   so that the connection breaks and no client takes the part for the whole;
//! - a client that went away: the body is dropped, the next write fails, the thread ends.

use std::io::{self, Write};

use bytes::{Bytes, BytesMut};
use futures::stream::{self, BoxStream, StreamExt};
use tokio::sync::mpsc;

/// Large enough that a switch between threads costs nothing beside it.
const CHUNK_BYTES: usize = 256 * 1024;

/// Chunks between reader and network.
const N_CHUNKS: usize = 4;

enum Message {
    Chunk(Bytes),
    Failed(io::Error),
    End,
}

/// The writing end, for a blocking thread. Dropped without [`ChunkSink::end`] it is a failure.
pub(crate) struct ChunkSink {
    messages: mpsc::Sender<Message>,
    buffer: BytesMut,
}

/// What was read, piece by piece. An error ends it; an end without one is the whole.
pub type Chunks = BoxStream<'static, io::Result<Bytes>>;

/// Connects a thread with a reader.
pub(crate) fn chunks() -> (ChunkSink, Chunks) {
    let (sender, receiver) = mpsc::channel(N_CHUNKS);
    let sink = ChunkSink {
        messages: sender,
        buffer: BytesMut::new(),
    };
    let chunks = stream::try_unfold(receiver, |mut receiver| async {
        match receiver.recv().await {
            Some(Message::Chunk(chunk)) => Ok(Some((chunk, receiver))),
            Some(Message::End) => Ok(None),
            Some(Message::Failed(error)) => Err(error),
            None => Err(io::Error::new(
                io::ErrorKind::BrokenPipe,
                "the reader stopped before the end",
            )),
        }
    });
    (sink, chunks.boxed())
}

impl ChunkSink {
    /// Ends the body cleanly. A client that is gone by now has all it wanted.
    pub(crate) fn end(mut self) {
        if self.flush().is_ok() {
            let _client_gone = self.messages.blocking_send(Message::End);
        }
    }

    /// The client went away.
    pub(crate) fn is_unwanted(&self) -> bool {
        self.messages.is_closed()
    }

    /// Breaks the body off.
    pub(crate) fn fail(self, error: io::Error) {
        let _client_gone = self.messages.blocking_send(Message::Failed(error));
    }

    fn send(&mut self) -> io::Result<()> {
        let chunk = self.buffer.split().freeze();
        self.messages
            .blocking_send(Message::Chunk(chunk))
            .map_err(|_| io::Error::new(io::ErrorKind::BrokenPipe, "the client went away"))
    }
}

impl Write for ChunkSink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.buffer.len() >= CHUNK_BYTES {
            self.send()?;
        }
        let n_bytes = bytes.len().min(CHUNK_BYTES - self.buffer.len());
        self.buffer.extend_from_slice(&bytes[..n_bytes]);
        Ok(n_bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        self.send()
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc as std_mpsc, thread};

    use futures::TryStreamExt;

    use super::*;

    async fn collected(chunks: Chunks) -> io::Result<Vec<u8>> {
        chunks
            .try_fold(Vec::new(), async |mut all, chunk| {
                all.extend_from_slice(&chunk);
                Ok(all)
            })
            .await
    }

    #[tokio::test]
    async fn what_is_written_arrives_in_order_and_ends_cleanly() {
        let (mut sink, body) = chunks();
        let content: Vec<u8> = (0..3_000_000u32).map(|n| (n % 251) as u8).collect();
        let expected = content.clone();
        let thread = thread::spawn(move || {
            sink.write_all(&content).unwrap();
            sink.end();
        });
        assert!(collected(body).await.unwrap() == expected);
        thread.join().unwrap();
    }

    #[tokio::test]
    async fn a_failure_and_a_silent_death_both_break_the_body() {
        for says_why in [true, false] {
            let (mut sink, body) = chunks();
            let thread = thread::spawn(move || {
                sink.write_all(b"half").unwrap();
                sink.flush().unwrap();
                if says_why {
                    sink.fail(io::Error::other("bad sector"));
                }
            });
            assert!(collected(body).await.is_err(), "says why: {says_why}");
            thread.join().unwrap();
        }
    }

    #[tokio::test]
    async fn dropping_the_body_stops_the_writer() {
        let (mut sink, body) = chunks();
        let (ended, has_ended) = std_mpsc::channel();
        let thread = thread::spawn(move || {
            let block = [0; 4096];
            let error = loop {
                if let Err(error) = sink.write_all(&block) {
                    break error;
                }
            };
            ended.send(error.kind()).unwrap();
        });
        drop(body);
        assert_eq!(has_ended.recv().unwrap(), io::ErrorKind::BrokenPipe);
        thread.join().unwrap();
    }

    #[tokio::test]
    async fn a_client_that_does_not_read_holds_back_the_writer() {
        let (mut sink, body) = chunks();
        let (written, has_written) = std_mpsc::sync_channel(0);
        let thread = thread::spawn(move || {
            let mut n_chunks = 0;
            while sink.write_all(&[0; CHUNK_BYTES]).is_ok() {
                n_chunks += 1;
                if written.send(n_chunks).is_err() {
                    return;
                }
            }
        });
        // One chunk more than the channel holds stays in the sink's buffer; the next one blocks.
        for n_chunks in 1..=N_CHUNKS + 1 {
            assert_eq!(has_written.recv().unwrap(), n_chunks);
        }
        assert!(
            has_written.try_recv().is_err(),
            "the writer waits for the client"
        );
        drop(body);
        drop(has_written);
        thread.join().unwrap();
    }
}
