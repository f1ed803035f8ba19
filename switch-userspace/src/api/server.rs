//! The API over the unix socket: routes to control-thread work, nothing else.
//!
//! Only root may change anything; members of the socket's group may read. Who asks is told by the kernel
//! (`SO_PEERCRED`), not by the request.

use std::{convert::Infallible, io, path::Path, process};

use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::{ConnectInfo, Path as Segments, Query, State, connect_info::Connected},
    http::{HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, patch, post},
    serve::IncomingStream,
};
use serde::{Serialize, de::DeserializeOwned};
use tokio::net::{UnixListener, unix::UCred};

use super::{
    routes,
    types::{ErrorBody, Event, EventQuery, ExitClass, FdbQuery, MdbQuery, Stop, Stopped},
};
use crate::{
    control::{Control, handle::Handle},
    events::Hub,
};

/// What the handlers need.
#[derive(Clone)]
pub struct Api {
    /// The control plane.
    pub control: Handle<Control>,
    /// Events.
    pub hub: Hub,
    /// The command that ends the daemon, to be typed.
    pub down: String,
    /// Ends the daemon once the answer to a stop request is out.
    pub stop: tokio::sync::watch::Sender<bool>,
}

/// Serves the API until `stop` says so; then no new request is taken and those in hand are answered.
///
/// # Errors
/// The socket stopped accepting.
pub async fn serve(listener: UnixListener, api: Api) -> io::Result<()> {
    let mut stop = api.stop.subscribe();
    let app = router(api).into_make_service_with_connect_info::<Peer>();
    let stopped = async move {
        // An error says that nobody can stop us any more, which is a reason to stop.
        let _sender_gone = stop.wait_for(|stop| *stop).await;
    };
    axum::serve(listener, app).with_graceful_shutdown(stopped).await
}

/// Binds the socket: 0660 in a directory that only root and its group enter.
///
/// # Errors
/// The socket cannot be made.
pub fn bind(path: &Path) -> io::Result<UnixListener> {
    use std::os::unix::fs::PermissionsExt as _;
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660))?;
    Ok(listener)
}

fn router(api: Api) -> Router {
    Router::new()
        .route(routes::VERSION, get(|api: Here| read(api, |control| Ok(control.version()))))
        .route(routes::STATUS, get(|api: Here| read(api, |control| control.status())))
        .route(routes::FACTS, get(|api: Here| read(api, |control| Ok(control.facts()))))
        .route(routes::STOP, post(stop))
        .route(routes::EVENTS, get(events))
        .route(
            routes::NETWORKS,
            get(|api: Here| read(api, |control| Ok(control.networks())))
                .post(|api: Here, body: Bytes| change(api, body, Control::create_network)),
        )
        .route(
            routes::NETWORK,
            get(|api: Here, Segments(name): Segments<String>| {
                read(api, move |control| control.network(&name))
            })
            .delete(|api: Here, Segments(name): Segments<String>| {
                read(api, move |control| control.remove_network(&name))
            }),
        )
        .route(routes::NETWORK_PRUNE, post(|api: Here| read(api, |control| control.prune_networks())))
        .route(
            routes::ATTACHMENT,
            post(|api: Here, Segments((network, endpoint)): Segments<(String, String)>, body: Bytes| {
                change(api, body, move |control, connect| control.connect(&network, &endpoint, connect))
            })
            .delete(|api: Here, Segments((network, endpoint)): Segments<(String, String)>| {
                read(api, move |control| control.disconnect(&network, &endpoint))
            }),
        )
        .route(
            routes::ENDPOINTS,
            get(|api: Here| read(api, |control| Ok(control.endpoints())))
                .post(|api: Here, body: Bytes| change(api, body, Control::add_endpoint)),
        )
        .route(
            routes::ENDPOINT,
            get(|api: Here, Segments(name): Segments<String>| {
                read(api, move |control| control.endpoint(&name))
            })
            .delete(|api: Here, Segments(name): Segments<String>| {
                read(api, move |control| control.remove_endpoint(&name))
            }),
        )
        .route(
            routes::ENDPOINT_LABELS,
            patch(|api: Here, Segments(name): Segments<String>, body: Bytes| {
                change(api, body, move |control, labels| control.label_endpoint(&name, labels))
            }),
        )
        .route(routes::PORTS, get(|api: Here| read(api, |control| control.ports())))
        .route(
            routes::PORT,
            get(|api: Here, Segments(name): Segments<String>| read(api, move |control| control.port(&name)))
                .patch(|api: Here, Segments(name): Segments<String>, body: Bytes| {
                    change(api, body, move |control, settings| control.set_port(&name, settings))
                }),
        )
        .route(
            routes::MDB,
            get(|api: Here, query: Query<MdbQuery>| read(api, move |control| control.mdb(&query))),
        )
        .route(
            routes::FDB,
            get(|api: Here, query: Query<FdbQuery>| read(api, move |control| control.fdb(&query)))
                .post(|api: Here, body: Bytes| change(api, body, Control::add_fdb)),
        )
        .route(
            routes::FDB_DELETE,
            post(|api: Here, body: Bytes| change(api, body, |control, entry| control.delete_fdb(&entry))),
        )
        .route(
            routes::FDB_FLUSH,
            post(|api: Here, body: Bytes| change(api, body, |control, which| control.flush_fdb(&which))),
        )
        .fallback(|| async { Failure(no_such_path()) })
        .layer(middleware::from_fn(admit))
        .with_state(api)
}

type Here = State<Api>;

async fn read<T, W>(State(api): Here, work: W) -> Result<Json<T>, Failure>
where
    T: Serialize + Send + 'static,
    W: FnOnce(&mut Control) -> Result<T, ErrorBody> + Send + 'static,
{
    match api.control.run(work).await {
        Ok(Ok(answer)) => Ok(Json(answer)),
        Ok(Err(error)) => Err(Failure(error)),
        Err(gone) => Err(Failure(broken(&gone.to_string(), &api.down))),
    }
}

async fn change<R, T, W>(api: Here, body: Bytes, work: W) -> Result<Json<T>, Failure>
where
    R: DeserializeOwned + Send + 'static,
    T: Serialize + Send + 'static,
    W: FnOnce(&mut Control, R) -> Result<T, ErrorBody> + Send + 'static,
{
    let request: R = parse(&body)?;
    read(api, move |control| work(control, request)).await
}

/// The daemon must stop only after the answer is on its way: the server finishes what it has in hand first.
async fn stop(State(api): Here, body: Bytes) -> Result<Response, Failure> {
    let request: Stop = parse(&body)?;
    let ending = api.stop.clone();
    let answer = read(State(api), move |control| control.stop(request)).await;
    // The daemon ends in any case: a purge that left something behind has taken out the rest, and a control thread that is
    // gone can only be had again by another daemon. An error says that the server has stopped already.
    let _stopped = ending.send(true);
    match answer {
        Err(_) if !request.purge => Ok(Json(Stopped { pid: process::id() }).into_response()),
        answer => Ok(answer?.into_response()),
    }
}

/// The stream ends with the daemon: an open one must not keep it from stopping.
async fn events(State(api): Here, Query(query): Query<EventQuery>) -> Response {
    let state = (api.hub.listen(), api.stop.subscribe());
    let lines = futures_util::stream::unfold(state, move |(mut listener, mut stop)| async move {
        loop {
            let event = tokio::select! {
                event = listener.next() => event?,
                _ = stop.wait_for(|stop| *stop) => return None,
            };
            if query.drops || !event.kind.is_drop() {
                return Some((Ok::<_, Infallible>(line(&event)), (listener, stop)));
            }
        }
    });
    let mut response = Response::new(Body::from_stream(lines));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/jsonl"));
    response
}

fn line(event: &Event) -> Bytes {
    // Plain strings and numbers always encode.
    let mut text = serde_json::to_vec(event).unwrap_or_default();
    text.push(b'\n');
    Bytes::from(text)
}

fn parse<R: DeserializeOwned>(body: &[u8]) -> Result<R, Failure> {
    let body = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|error| {
        Failure(ErrorBody {
            code: ExitClass::Usage,
            failed: String::from("read the request"),
            object: String::new(),
            why: error.to_string(),
            unchanged: String::from("nothing was changed"),
            next: None,
        })
    })
}

/// The process at the other end of the connection.
#[derive(Clone, Copy, Debug)]
pub struct Peer(Option<UCred>);

impl Connected<IncomingStream<'_, UnixListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, UnixListener>) -> Self {
        Self(stream.io().peer_cred().ok())
    }
}

async fn admit(
    ConnectInfo(peer): ConnectInfo<Peer>,
    request: axum::extract::Request,
    next: Next,
) -> Response {
    let is_root = peer.0.is_some_and(|peer| peer.uid() == 0);
    if is_root || request.method().is_safe() {
        return next.run(request).await;
    }
    Failure(ErrorBody {
        code: ExitClass::Permission,
        failed: String::from("change the switch"),
        object: String::new(),
        why: String::from("only root may change anything"),
        unchanged: String::from("nothing was changed"),
        next: Some(String::from("run the command as root")),
    })
    .into_response()
}

/// An error as an answer.
struct Failure(ErrorBody);

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status =
            StatusCode::from_u16(self.0.code.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, Json(self.0)).into_response()
    }
}

fn no_such_path() -> ErrorBody {
    ErrorBody {
        code: ExitClass::NotFound,
        failed: String::from("find the API path"),
        object: String::new(),
        why: String::from("this daemon does not serve it; client and daemon may be of different versions"),
        unchanged: String::from("nothing was changed"),
        next: Some(String::from("compare: wye version")),
    }
}

fn broken(why: &str, down: &str) -> ErrorBody {
    ErrorBody {
        code: ExitClass::Failed,
        failed: String::from("ask the control plane"),
        object: String::new(),
        why: String::from(why),
        unchanged: String::from("it is not known whether the request was carried out"),
        next: Some(format!("end the daemon with `{down}`, and start it again as before")),
    }
}
