//! A server on loopback that misbehaves as it is told, path by path, and writes down what it was asked.
//!
//! It speaks HTTP/1.1 by hand, because no server library would let it do what it has to do here. It knows nothing
//! of the client that it is for.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::server::TlsStream;

/// What is done with a request.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// The connection is reset before the request is read. (Without TLS only.)
    ResetUnread,
    /// The request is read, then the connection is reset.
    ResetTaken,
    /// The request is read, then the connection is closed.
    CloseTaken,
    /// The request is read, and nothing more happens.
    Silence,
    /// These bytes, then the connection is closed.
    Close(Vec<u8>),
    /// These bytes, then the connection is reset.
    Reset(Vec<u8>),
    /// These bytes, and the connection stays open for the next request.
    Keep(Vec<u8>),
    /// These bytes, and the connection is closed at once, but so that the client only sees it when it writes again.
    KeepThenReset(Vec<u8>),
    /// First these bytes, then those again and again, with so much time between.
    Endless {
        /// First.
        first: Vec<u8>,
        /// Then, until the client goes away.
        again: Vec<u8>,
        /// Between two repetitions.
        every: Duration,
    },
}

impl Fault {
    /// A proper answer, after which the connection stays open.
    pub(crate) fn answer(status: &str, headers: &[(&str, &str)], body: &[u8]) -> Self {
        Self::Keep(response(status, headers, body))
    }

    /// A proper redirect.
    pub(crate) fn redirect(status: &str, to: &str) -> Self {
        Self::answer(status, &[("location", to)], b"")
    }
}

/// A response of the right length, as bytes.
pub(crate) fn response(status: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n", body.len()).into_bytes();
    for (name, value) in headers {
        bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(body);
    bytes
}

/// A request that the server has read.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// The method.
    pub(crate) method: String,
    /// The path, with the query.
    pub(crate) target: String,
    /// The headers, their names in small letters.
    pub(crate) headers: BTreeMap<String, String>,
    /// The body.
    pub(crate) body: Vec<u8>,
}

/// What the server does and has seen.
#[derive(Default)]
struct Script {
    /// By path; the last of a path stays.
    faults: Mutex<BTreeMap<String, VecDeque<Fault>>>,
    asked: Mutex<Vec<Asked>>,
    connections: AtomicUsize,
}

/// The server. It ends with this value.
pub(crate) struct FaultServer {
    address: SocketAddr,
    scheme: &'static str,
    script: Arc<Script>,
    accepting: JoinHandle<()>,
}

impl FaultServer {
    /// On 127.0.0.1, without TLS.
    pub(crate) async fn start() -> Self {
        Self::start_at(IpAddr::V4(Ipv4Addr::LOCALHOST), None).await
    }

    /// On 127.0.0.1, with TLS.
    pub(crate) async fn start_tls(tls: Arc<ServerConfig>) -> Self {
        Self::start_at(IpAddr::V4(Ipv4Addr::LOCALHOST), Some(tls)).await
    }

    /// On an address of loopback, at a port that is free.
    pub(crate) async fn start_at(address: IpAddr, tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind((address, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let script = Arc::new(Script::default());
        let accepting =
            tokio::spawn(accept(listener, tls.map(TlsAcceptor::from), Arc::clone(&script)));
        Self { address, scheme, script, accepting }
    }

    /// What it does at this path, each time.
    pub(crate) fn on(&self, path: &str, fault: Fault) {
        self.on_each(path, [fault]);
    }

    /// What it does at this path, the first time, the second, and so on; the last stays.
    pub(crate) fn on_each(&self, path: &str, faults: impl IntoIterator<Item = Fault>) {
        self.script.faults.lock().unwrap().insert(path.to_owned(), faults.into_iter().collect());
    }

    /// The address of a path, by the server's IP address.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.address)
    }

    /// The address of a path, by a name.
    pub(crate) fn url_at(&self, host: &str, path: &str) -> String {
        format!("{}://{host}:{}{path}", self.scheme, self.address.port())
    }

    /// How many connections were made.
    pub(crate) fn connections(&self) -> usize {
        self.script.connections.load(Ordering::SeqCst)
    }

    /// What was asked, in order.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.script.asked.lock().unwrap().clone()
    }
}

impl Drop for FaultServer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Script {
    /// What is done at this path now.
    fn next(&self, target: &str) -> Fault {
        let path = target.split('?').next().unwrap_or_default();
        let mut faults = self.faults.lock().unwrap();
        let Some(at) = faults.get_mut(path) else {
            return Fault::answer("404 Not Found", &[], b"no such path in the script");
        };
        if at.len() > 1 { at.pop_front().unwrap() } else { at.front().unwrap().clone() }
    }

    /// What is done at this path now, if that is the fault before anything is read.
    fn is_reset_unread(&self, path: &str) -> bool {
        let faults = self.faults.lock().unwrap();
        matches!(faults.get(path).and_then(VecDeque::front), Some(Fault::ResetUnread))
    }
}

/// A connection, with TLS or without.
enum Wire {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Wire {
    async fn read(&mut self, into: &mut Vec<u8>) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read_buf(into).await,
            Self::Tls(stream) => stream.read_buf(into).await,
        }
    }

    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.write_all(bytes).await,
            Self::Tls(stream) => {
                stream.write_all(bytes).await?;
                stream.flush().await
            }
        }
    }

    async fn close(mut self) -> io::Result<()> {
        match &mut self {
            Self::Plain(stream) => stream.shutdown().await,
            Self::Tls(stream) => stream.shutdown().await,
        }?;
        // Until the client has gone too: what it still sends would turn the close into a reset.
        let mut rest = Vec::new();
        while self.read(&mut rest).await? > 0 {
            rest.clear();
        }
        Ok(())
    }

    fn reset(self) -> io::Result<()> {
        match &self {
            Self::Plain(stream) => stream.set_zero_linger(),
            Self::Tls(stream) => stream.get_ref().0.set_zero_linger(),
        }
    }
}

async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, script: Arc<Script>) {
    // Ended with the server: the connections are its tasks.
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        script.connections.fetch_add(1, Ordering::SeqCst);
        let (tls, script) = (tls.clone(), Arc::clone(&script));
        connections.spawn(async move {
            let wire = match tls {
                None if resets_unread(&stream, &script).await? => {
                    return Wire::Plain(stream).reset();
                }
                None => Wire::Plain(stream),
                Some(tls) => Wire::Tls(Box::new(tls.accept(stream).await?)),
            };
            serve(wire, &script).await
        });
    }
}

/// Whether the request that waits in the connection, unread, is one to reset.
async fn resets_unread(stream: &TcpStream, script: &Script) -> io::Result<bool> {
    let mut head = [0; 256];
    let length = stream.peek(&mut head).await?;
    let head = String::from_utf8_lossy(head.get(..length).unwrap_or_default()).into_owned();
    Ok(head.split(' ').nth(1).is_some_and(|path| script.is_reset_unread(path)))
}

/// Serves a connection until it ends.
async fn serve(mut wire: Wire, script: &Script) -> io::Result<()> {
    let mut unread = Vec::new();
    while let Some(asked) = read_request(&mut wire, &mut unread).await? {
        let fault = script.next(&asked.target);
        script.asked.lock().unwrap().push(asked);
        match fault {
            Fault::ResetUnread | Fault::ResetTaken => return wire.reset(),
            Fault::CloseTaken => return wire.close().await,
            Fault::Silence => {
                // The client goes away some time.
                while wire.read(&mut unread).await? > 0 {}
                return Ok(());
            }
            Fault::Close(bytes) => {
                wire.write(&bytes).await?;
                return wire.close().await;
            }
            Fault::Reset(bytes) => {
                wire.write(&bytes).await?;
                return wire.reset();
            }
            Fault::Keep(bytes) => wire.write(&bytes).await?,
            Fault::KeepThenReset(bytes) => {
                wire.write(&bytes).await?;
                // The next request is taken and answered by a reset, as by a server whose patience ran out just then.
                wire.read(&mut unread).await?;
                return wire.reset();
            }
            Fault::Endless { first, again, every } => {
                wire.write(&first).await?;
                let mut pause = tokio::time::interval(every);
                loop {
                    pause.tick().await;
                    wire.write(&again).await?;
                }
            }
        }
    }
    Ok(())
}

/// The next request, or none where the client is done.
async fn read_request(wire: &mut Wire, unread: &mut Vec<u8>) -> io::Result<Option<Asked>> {
    let head_ends = loop {
        if let Some(at) = unread.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        if wire.read(unread).await? == 0 {
            return Ok(None);
        }
    };
    let head = String::from_utf8_lossy(&unread.drain(..head_ends).collect::<Vec<_>>()).into_owned();
    let mut lines = head.lines();
    let mut first = lines.next().unwrap_or_default().split(' ');
    let mut asked = Asked {
        method: first.next().unwrap_or_default().to_owned(),
        target: first.next().unwrap_or_default().to_owned(),
        headers: lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect(),
        body: Vec::new(),
    };
    let length = asked.headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    while unread.len() < length {
        if wire.read(unread).await? == 0 {
            return Ok(None);
        }
    }
    asked.body = unread.drain(..length).collect();
    Ok(Some(asked))
}
