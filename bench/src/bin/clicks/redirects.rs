//! Recorded redirects for each second of processor time, beside nginx that only answers `return 302`; and whether memory
//! stays what it is over millions of them.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use nexus_bench::spread::{Spread, quantile};

use crate::load::{Answers, Until};
use crate::{Options, Outcome, counting, ground, load, process, server};

/// Requests at once: about what keeps one processor busy.
const CONNECTIONS: usize = 32;

/// How the redirect is called that is recorded nowhere.
pub(crate) const BARE: &str = "bare";

/// A server that is killed at the end.
struct Server {
    child: Child,
    port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        // Its master lets nginx's worker end.
        let pid = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw);
        if let Some(pid) = pid {
            rustix::process::kill_process(pid, rustix::process::Signal::TERM).ok();
        }
        self.child.wait().ok();
    }
}

impl Server {
    /// The processes that answer: this one, and those that it began.
    fn pids(&self) -> Outcome<Vec<u32>> {
        let mut pids = process::children(self.child.id())?;
        pids.push(self.child.id());
        Ok(pids)
    }

    fn ours(folder: &Path, ack: &str) -> Outcome<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("serve")
            .arg(folder)
            .arg(ack)
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        let out = child.stdout.take().ok_or("standard output")?;
        BufReader::new(out).read_line(&mut line)?;
        let port = line.trim().parse().map_err(|_| "our server did not start")?;
        Ok(Self { child, port })
    }

    /// nginx with one worker and without a log; `None` where it is not installed.
    fn nginx(folder: &Path) -> Outcome<Option<Self>> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let place = folder.display();
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|sort| format!("{sort}_temp_path {place}/{sort};"))
            .concat();
        let conf = format!(
            "daemon off; worker_processes 1; pid {place}/pid; error_log stderr error; \
             events {{ worker_connections 1024; }} \
             http {{ access_log off; keepalive_requests 1000000000; {temporary} \
             server {{ listen 127.0.0.1:{port}; location / {{ return 302 https://shop.example.com/goods/1; }} }} }}\n"
        );
        let file = folder.join("nginx.conf");
        fs::write(&file, conf)?;
        let began = Command::new("nginx").arg("-c").arg(&file).arg("-p").arg(folder).spawn();
        let Ok(child) = began else { return Ok(None) };
        Ok(Some(Self { child, port }))
    }

    /// Waits until it answers.
    async fn is_up(&self) -> Outcome<()> {
        let patience = tokio::time::Instant::now() + Duration::from_secs(20);
        while tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await.is_err() {
            if tokio::time::Instant::now() > patience {
                return Err("a server did not begin to answer".into());
            }
            tokio::task::yield_now().await;
        }
        Ok(())
    }
}

/// A run against a server: answers for each second of its processor time.
async fn measured(
    server: &Server,
    requests: &Arc<Vec<Vec<u8>>>,
    time: Duration,
) -> Outcome<(f64, Answers)> {
    server.is_up().await?;
    // The first ones fill caches.
    load::ask(server.port, requests, CONNECTIONS, Until::Count(requests.len())).await?;
    let (pids, before) = (server.pids()?, process::seconds(&server.pids()?)?);
    let answers = load::ask(server.port, requests, CONNECTIONS, Until::After(time)).await?;
    let took = process::seconds(&pids)? - before;
    let answered = answers.redirects + answers.others;
    Ok((answered as f64 / took.max(0.01), answers))
}

pub(crate) async fn run(folder: &Path, options: &Options) -> Outcome<()> {
    println!(
        "Redirects for each second of the server's processor time, over {CONNECTIONS} kept connections, {} s a run",
        options.seconds
    );
    let larger = folder.join("larger.mmdb");
    if !larger.exists() {
        ground::write_database(&larger)?;
    }
    let requests = Arc::new(ground::requests(&ground::addresses(&larger)?));
    let time = Duration::from_secs(options.seconds);
    let names = [
        "nginx `return 302`",
        "axum, recording nothing",
        "click-track, ack=window",
        "click-track, ack=commit",
    ];
    let mut each: [Vec<f64>; 4] = Default::default();
    let mut p99: [Vec<f64>; 4] = Default::default();
    let mut lost = [0; 4];
    for run in 0..options.runs {
        let place = folder.join(format!("nginx-{run}"));
        fs::create_dir_all(&place)?;
        let nginx = Server::nginx(&place)?;
        let bare = Server::ours(folder, BARE)?;
        let mut servers = vec![(0, nginx, None), (1, Some(bare), None)];
        for (kind, ack) in [(2, "window"), (3, "commit")] {
            let place = folder.join(format!("{ack}-{run}"));
            fs::create_dir_all(&place)?;
            fs::copy(&larger, place.join(server::DATABASE))?;
            servers.push((kind, Some(Server::ours(&place, ack)?), Some(place)));
        }
        for (kind, server, place) in servers {
            let Some(server) = server else { continue };
            let (per_second, answers) = measured(&server, &requests, time).await?;
            if answers.others > 0 {
                return Err(format!(
                    "{}: {} of {} answers were no redirects, so that nothing can be said",
                    names[kind],
                    answers.others,
                    answers.others + answers.redirects
                )
                .into());
            }
            each[kind].push(per_second);
            p99[kind].extend(quantile(&answers.ms, 0.99));
            drop(server);
            if let Some(place) = place {
                let recorded = counting::recorded(&place).await?;
                lost[kind] += (answers.redirects + requests.len()).saturating_sub(recorded);
                fs::remove_dir_all(place)?;
            }
        }
    }
    let theirs = Spread::of(&each[0]).map(|spread| spread.median);
    if theirs.is_none() {
        println!("  nginx is not there to be compared with: apt-get install nginx-light");
    }
    for (kind, name) in names.iter().enumerate() {
        let (Some(spread), Some(late)) = (Spread::of(&each[kind]), Spread::of(&p99[kind])) else {
            continue;
        };
        let most = each[kind].iter().copied().fold(0.0, f64::max);
        let ratio = theirs.filter(|_| kind > 0);
        let ratio = ratio
            .map_or(String::new(), |t| format!("   {:.0} % of nginx", 100.0 * spread.median / t));
        println!(
            "  {name:<26} median {:>8.0}  least {:>8.0}  most {most:>8.0}   p99 {:>6.2} ms{ratio}",
            spread.median, spread.min, late.median
        );
    }
    println!(
        "  answered and not found recorded after {} kills each: {} of the window (it may lose 5 ms and what is being sent), {} \
         of the commit",
        options.runs, lost[2], lost[3]
    );
    if lost[3] > 0 {
        return Err("clicks were answered as durable and are not there".into());
    }
    Ok(())
}

/// Memory over so many clicks, each hundredth part a sample.
pub(crate) async fn memory(folder: &Path, clicks: usize) -> Outcome<()> {
    println!("Memory of the server over {clicks} clicks, ack=window, MB");
    let larger = folder.join("larger.mmdb");
    if !larger.exists() {
        ground::write_database(&larger)?;
    }
    let requests = Arc::new(ground::requests(&ground::addresses(&larger)?));
    let place = folder.join("memory");
    fs::create_dir_all(&place)?;
    fs::copy(&larger, place.join(server::DATABASE))?;
    let server = Server::ours(&place, "window")?;
    server.is_up().await?;
    let mut samples = Vec::new();
    for _ in 0..100 {
        let part = Until::Count(clicks.div_ceil(100));
        let answers = load::ask(server.port, &requests, CONNECTIONS, part).await?;
        if answers.others > 0 {
            return Err("not every answer was a redirect, so that nothing can be said".into());
        }
        samples.push(process::memory_mb(server.child.id())?);
    }
    let at = |part: usize| samples.get(part - 1).copied().unwrap_or_default();
    println!(
        "  after  1 %: {:>6.1}   10 %: {:>6.1}   50 %: {:>6.1}   100 %: {:>6.1}",
        at(1),
        at(10),
        at(50),
        at(100)
    );
    let growth = (at(100) - at(10)) * 1e6 / (clicks as f64 * 0.9);
    println!("  from the tenth part on: {growth:.2} bytes for each click");
    drop(server);
    fs::remove_dir_all(place)?;
    Ok(())
}
