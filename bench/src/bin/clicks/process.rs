//! What a process took, by proc(5).

use std::fs;

use rustix::time::{ClockId, clock_gettime};

use crate::Outcome;

/// Ticks in a second: USER_HZ, which is 100 on every Linux that Rust runs on.
const TICKS: f64 = 100.0;

/// Seconds of processor time that this process took.
pub(crate) fn own_seconds() -> f64 {
    let at = clock_gettime(ClockId::ProcessCPUTime);
    at.tv_sec as f64 + at.tv_nsec as f64 / 1e9
}

/// Seconds of processor time that these processes took.
pub(crate) fn seconds(pids: &[u32]) -> Outcome<f64> {
    let mut ticks = 0.0;
    for pid in pids {
        let told = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        // Behind the name, which may hold anything.
        let fields = told.rsplit_once(')').ok_or("proc(5) has another shape")?.1;
        let fields: Vec<f64> =
            fields.split_whitespace().skip(11).take(2).flat_map(str::parse).collect();
        ticks += fields.iter().sum::<f64>();
    }
    Ok(ticks / TICKS)
}

/// The processes that this one began.
pub(crate) fn children(pid: u32) -> Outcome<Vec<u32>> {
    let told = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?;
    Ok(told.split_whitespace().flat_map(str::parse).collect())
}

/// MB (10^6 bytes) of memory in use.
pub(crate) fn memory_mb(pid: u32) -> Outcome<f64> {
    let told = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = told.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: f64 =
        line.and_then(|l| l.split_whitespace().next()?.parse().ok()).ok_or("no VmRSS")?;
    Ok(kib * 1024.0 / 1e6)
}

/// How many processes ran or waited to run in the last minute.
pub(crate) fn load() -> f64 {
    let told = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    told.split(' ').next().and_then(|load| load.parse().ok()).unwrap_or(f64::INFINITY)
}
