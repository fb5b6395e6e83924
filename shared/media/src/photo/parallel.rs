//! Spreads a few pieces of work over a few threads.

use std::sync::{Mutex, PoisonError};

/// Does `work` on every item on at most `threads` threads (the caller's is one of them); answers in the items' order.
pub(super) fn spread<T: Send, R: Send>(
    items: Vec<T>,
    threads: usize,
    work: impl Fn(T) -> R + Sync,
) -> Vec<R> {
    let beside = threads.min(items.len()).saturating_sub(1);
    if beside == 0 {
        return items.into_iter().map(work).collect();
    }
    let queue = Mutex::new(items.into_iter().enumerate());
    let drain = || {
        let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
        let mut done = Vec::new();
        while let Some((at, item)) = next() {
            done.push((at, work(item)));
        }
        done
    };
    let mut done = std::thread::scope(|scope| {
        let others: Vec<_> = (0..beside).map(|_| scope.spawn(drain)).collect();
        let mut done = drain();
        for other in others {
            match other.join() {
                Ok(more) => done.extend(more),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        done
    });
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::spread;

    #[test]
    fn answers_come_in_order_for_any_number_of_threads() {
        for threads in 0..5 {
            assert_eq!(spread((0..9).collect(), threads, |n| n * n)[8], 64);
            assert!(spread((0..9).collect(), threads, |n| n * n).is_sorted());
        }
        assert!(spread(Vec::<u8>::new(), 3, |n| n).is_empty());
    }
}
