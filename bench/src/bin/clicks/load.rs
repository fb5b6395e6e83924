//! Requests over kept connections, one after the other on each.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::Outcome;

/// How much is asked.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Until {
    /// So long.
    After(Duration),
    /// So many requests.
    Count(usize),
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    /// Answers with the status 302.
    pub(crate) redirects: usize,
    /// Others.
    pub(crate) others: usize,
    /// Milliseconds of each answer.
    pub(crate) ms: Vec<f64>,
}

/// Asks over so many connections.
pub(crate) async fn ask(
    port: u16,
    requests: &Arc<Vec<Vec<u8>>>,
    connections: usize,
    until: Until,
) -> Outcome<Answers> {
    let next = Arc::new(AtomicUsize::new(0));
    let end = Instant::now()
        + match until {
            Until::After(time) => time,
            Until::Count(_) => Duration::from_secs(24 * 3600),
        };
    let most = match until {
        Until::After(_) => usize::MAX,
        Until::Count(most) => most,
    };
    // Of millions of requests no list of times is kept.
    let keep_times = matches!(until, Until::After(_));
    let mut all = JoinSet::new();
    for _ in 0..connections {
        let (requests, next) = (Arc::clone(requests), Arc::clone(&next));
        all.spawn(async move {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
            stream.set_nodelay(true)?;
            let (mut answers, mut buffer) = (Answers::default(), Vec::with_capacity(4096));
            while Instant::now() < end {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let Some(request) = requests.get(number % requests.len()) else { break };
                if number >= most {
                    break;
                }
                let begun = Instant::now();
                stream.write_all(request).await?;
                let redirected = answer(&mut stream, &mut buffer).await?;
                if keep_times {
                    answers.ms.push(begun.elapsed().as_secs_f64() * 1e3);
                }
                *(if redirected { &mut answers.redirects } else { &mut answers.others }) += 1;
            }
            Ok::<_, std::io::Error>(answers)
        });
    }
    let mut sum = Answers::default();
    while let Some(ended) = all.join_next().await {
        let ended = ended??;
        sum.redirects += ended.redirects;
        sum.others += ended.others;
        sum.ms.extend(ended.ms);
    }
    Ok(sum)
}

/// Reads one answer; whether it redirects.
async fn answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> std::io::Result<bool> {
    buffer.clear();
    loop {
        if stream.read_buf(buffer).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let Some(head) = buffer.windows(4).position(|window| window == b"\r\n\r\n") else {
            continue;
        };
        let (head, body) = (buffer.get(..head).unwrap_or_default(), buffer.len() - head - 4);
        let length = String::from_utf8_lossy(head).lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length")
                .then(|| value.trim().parse::<usize>().ok())?
        });
        if body >= length.unwrap_or(0) {
            return Ok(head.starts_with(b"HTTP/1.1 302"));
        }
    }
}
