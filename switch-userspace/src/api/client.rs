//! A client of the daemon's API: synchronous, one connection a call, no thread.

use std::{
    io,
    ops::ControlFlow,
    path::{Path, PathBuf},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, Response, StatusCode, body::Incoming, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use serde::{Serialize, de::DeserializeOwned};
use thiserror::Error;
use tokio::{net::UnixStream, runtime::Runtime, time::timeout};

use super::types::ErrorBody;

/// How long a daemon may take to answer; a purge of many ports is the longest call.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(120);

/// Why a call did not succeed.
#[derive(Debug, Error)]
pub enum ClientError {
    /// The daemon said no.
    #[error(transparent)]
    Refused(Box<ErrorBody>),
    /// There is no socket.
    #[error("{socket} does not exist: no daemon runs there")]
    NoSocket {
        /// Where it would be.
        socket: PathBuf,
    },
    /// There is a socket that nobody listens on.
    #[error("nobody listens on {socket}: the daemon that made it has ended")]
    NotListening {
        /// The socket.
        socket: PathBuf,
    },
    /// The caller may not use the socket.
    #[error("no permission to use {socket}")]
    NotAllowed {
        /// The socket.
        socket: PathBuf,
    },
    /// The socket cannot be used for another reason.
    #[error("connect to {socket}: {source}")]
    Connect {
        /// The socket.
        socket: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The daemon took too long.
    #[error("the daemon at {socket} did not answer within {} s", after.as_secs())]
    Timeout {
        /// The socket.
        socket: PathBuf,
        /// How long the call waited.
        after: Duration,
    },
    /// The connection broke before the answer was complete.
    #[error("the daemon at {socket} went away before it had answered: {source}")]
    Broken {
        /// The socket.
        socket: PathBuf,
        /// What the HTTP layer says.
        source: hyper::Error,
    },
    /// The request cannot be put on the wire.
    #[error("build the request for {path}: {source}")]
    Request {
        /// The request's path.
        path: String,
        /// What the HTTP layer says.
        source: hyper::http::Error,
    },
    /// The request's body cannot be written as JSON.
    #[error("write the request for {path}: {source}")]
    Encode {
        /// The request's path.
        path: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The request's conditions cannot be written as a query.
    #[error("write the query for {path}: {source}")]
    Query {
        /// The request's path.
        path: String,
        /// What is wrong with it.
        source: serde_urlencoded::ser::Error,
    },
    /// JSON that is not what it should be.
    #[error("the answer to {path} cannot be read ({source}): the daemon is of another version")]
    Answer {
        /// The request's path.
        path: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// An answer that is an error, but not one of this API.
    #[error("{path} was answered with {status}: the daemon is of another version")]
    Foreign {
        /// The request's path.
        path: String,
        /// The HTTP status.
        status: StatusCode,
    },
    /// The process may open no more descriptors.
    #[error("prepare the connection: {0}")]
    Runtime(io::Error),
}

/// A client of one daemon.
pub struct Client {
    runtime: Runtime,
    socket: PathBuf,
}

impl Client {
    /// A client of the daemon that listens on `socket`. Nothing is sent yet.
    ///
    /// # Errors
    /// When the process may open no more descriptors.
    pub fn new(socket: impl Into<PathBuf>) -> Result<Self, ClientError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(ClientError::Runtime)?;
        Ok(Self { runtime, socket: socket.into() })
    }

    /// The socket.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Asks for what is at `path` (a path of [`super::routes`]).
    ///
    /// # Errors
    /// The daemon refuses, cannot be reached or does not answer in time.
    pub fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.call(Method::GET, path, Full::default())
    }

    /// Asks for what is at `path` under the conditions of `query`.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub fn query<T: DeserializeOwned>(&self, path: &str, query: &impl Serialize) -> Result<T, ClientError> {
        self.get(&with_query(path, query)?)
    }

    /// Deletes what is at `path`.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub fn delete<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.call(Method::DELETE, path, Full::default())
    }

    /// Posts `body` to `path`.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, ClientError> {
        self.call(Method::POST, path, json(path, body)?)
    }

    /// Changes what is at `path` by `body`.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub fn patch<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, ClientError> {
        self.call(Method::PATCH, path, json(path, body)?)
    }

    /// Hands every line of the stream at `path` to `each`, until that breaks off, `over` is ready or the daemon ends.
    ///
    /// # Errors
    /// As [`Client::get`]; there is no time limit once the stream has begun.
    pub fn lines(
        &self,
        path: &str,
        query: &impl Serialize,
        over: impl Future<Output = ()>,
        mut each: impl FnMut(&[u8]) -> ControlFlow<()>,
    ) -> Result<(), ClientError> {
        let path = with_query(path, query)?;
        let lines = async {
            let mut body = self.in_time(self.send(Method::GET, &path, Full::default())).await?.into_body();
            let mut rest = Vec::new();
            while let Some(frame) = body.frame().await {
                let frame = frame.map_err(|source| self.broken(source))?;
                rest.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data));
                while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                    let line: Vec<u8> = rest.drain(..=end).collect();
                    if each(&line[..end]).is_break() {
                        return Ok(());
                    }
                }
            }
            Ok(())
        };
        self.runtime.block_on(async {
            tokio::select! {
                read = lines => read,
                () = over => Ok(()),
            }
        })
    }

    fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Full<Bytes>,
    ) -> Result<T, ClientError> {
        let answer = self.runtime.block_on(self.in_time(async {
            let answer = self.send(method, path, body).await?;
            answer.into_body().collect().await.map_err(|source| self.broken(source))
        }))?;
        serde_json::from_slice(&answer.to_bytes())
            .map_err(|source| ClientError::Answer { path: path.to_owned(), source })
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Full<Bytes>,
    ) -> Result<Response<Incoming>, ClientError> {
        let stream = UnixStream::connect(&self.socket).await.map_err(|source| self.unreachable(source))?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|source| self.broken(source))?;
        tokio::spawn(connection);
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "wye")
            .header(header::CONTENT_TYPE, "application/json")
            .body(body)
            .map_err(|source| ClientError::Request { path: path.to_owned(), source })?;
        let answer = sender.send_request(request).await.map_err(|source| self.broken(source))?;
        if answer.status().is_success() { Ok(answer) } else { Err(self.refusal(path, answer).await) }
    }

    async fn refusal(&self, path: &str, answer: Response<Incoming>) -> ClientError {
        let status = answer.status();
        match answer.into_body().collect().await {
            Ok(body) => serde_json::from_slice::<ErrorBody>(&body.to_bytes()).map_or_else(
                |_| ClientError::Foreign { path: path.to_owned(), status },
                |body| ClientError::Refused(Box::new(body)),
            ),
            Err(source) => self.broken(source),
        }
    }

    async fn in_time<T>(&self, call: impl Future<Output = Result<T, ClientError>>) -> Result<T, ClientError> {
        timeout(ANSWER_TIMEOUT, call).await.unwrap_or_else(|_| {
            Err(ClientError::Timeout { socket: self.socket.clone(), after: ANSWER_TIMEOUT })
        })
    }

    fn broken(&self, source: hyper::Error) -> ClientError {
        ClientError::Broken { socket: self.socket.clone(), source }
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the system has many reasons; these have advice of their own"
    )]
    fn unreachable(&self, source: io::Error) -> ClientError {
        let socket = self.socket.clone();
        match source.kind() {
            io::ErrorKind::NotFound => ClientError::NoSocket { socket },
            // Reset: it ended while the connection waited to be accepted.
            io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset => {
                ClientError::NotListening { socket }
            }
            io::ErrorKind::PermissionDenied => ClientError::NotAllowed { socket },
            _ => ClientError::Connect { socket, source },
        }
    }
}

fn json(path: &str, body: &impl Serialize) -> Result<Full<Bytes>, ClientError> {
    let bytes =
        serde_json::to_vec(body).map_err(|source| ClientError::Encode { path: path.to_owned(), source })?;
    Ok(Full::new(bytes.into()))
}

fn with_query(path: &str, query: &impl Serialize) -> Result<String, ClientError> {
    let query = serde_urlencoded::to_string(query)
        .map_err(|source| ClientError::Query { path: path.to_owned(), source })?;
    Ok(if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") })
}
