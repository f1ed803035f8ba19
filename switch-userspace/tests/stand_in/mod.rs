//! A stand-in for the daemon: answers every request by a function and remembers it.

use std::{
    io::{BufRead, BufReader, Read, Write},
    os::unix::net::{UnixListener, UnixStream},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
};

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// `METHOD /path?query`.
    pub(crate) line: String,
    /// The body.
    pub(crate) body: String,
}

/// The HTTP status and the body of an answer.
pub(crate) type Answer = (u16, String);

/// Ends when it is dropped.
pub(crate) struct StandIn {
    socket: PathBuf,
    requests: Arc<Mutex<Vec<Request>>>,
    thread: Option<JoinHandle<()>>,
}

impl StandIn {
    /// Listens on `socket` from now on.
    pub(crate) fn start(socket: &Path, answer: impl Fn(&Request) -> Answer + Send + 'static) -> Self {
        let listener = UnixListener::bind(socket).expect("bind the stand-in's socket");
        let requests = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&requests);
        let thread = thread::spawn(move || {
            for stream in listener.incoming() {
                let stream = stream.expect("a connection");
                let Some(request) = read(&stream) else { return };
                heard.lock().expect("no panic while locked").push(request.clone());
                reply(stream, &answer(&request));
            }
        });
        Self { socket: socket.to_path_buf(), requests, thread: Some(thread) }
    }

    /// Every request so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().expect("no panic while locked").clone()
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        // A connection without a request ends the thread.
        drop(UnixStream::connect(&self.socket).expect("reach the stand-in"));
        self.thread.take().expect("joined once").join().expect("the stand-in did not panic");
    }
}

/// A refusal of `network create blue` of a class.
pub(crate) fn refusal(class: &str) -> String {
    format!(
        r#"{{"code":"{class}","failed":"create network","object":"blue","why":"its subnet overlaps that of red",
            "unchanged":"nothing was changed","next":"use 10.2.0.0/24"}}"#
    )
}

fn reply(mut stream: UnixStream, (status, body): &Answer) {
    let length = body.len();
    write!(stream, "HTTP/1.1 {status} answer\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
        .expect("answer the client");
}

/// Reads one request; `None` where the connection brings none.
pub(crate) fn read(stream: &UnixStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first).expect("read the request line");
    let line = first.strip_suffix(" HTTP/1.1\r\n")?.to_owned();
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).expect("read a header");
        if header == "\r\n" {
            break;
        }
        if let Some(value) = header.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().expect("a length");
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("read the body");
    Some(Request { line, body: String::from_utf8(body).expect("UTF-8") })
}
