use super::*;

const NOW: Timestamp = Timestamp(1_000_000);
const LATER: Timestamp = Timestamp(2_000_000);

fn log_of(entries: i64) -> RevocationLog {
    let log = RevocationLog::new().unwrap();
    let entry = |seq| Revocation { seq, target: RevocationTarget::Token(seq.to_string()), expires_at: LATER };
    log.append((1..=entries).map(entry).collect(), Position { epoch: 7, seq: 0 }, NOW);
    log
}

#[test]
fn pages_reach_from_one_to_the_next_without_a_gap() {
    let log = log_of(25);
    let (mut after, mut seen) = (0, Vec::new());
    loop {
        let page = log.page(after, 10);
        assert_eq!(page.after, after);
        seen.extend(page.entries.iter().map(|entry| entry.seq));
        after = page.position.seq;
        if !page.more {
            break;
        }
    }
    assert_eq!((after, seen), (25, (1..=25).collect()));
    assert!(log.page(25, 10).entries.is_empty() && log.page(99, 10).position.seq == 25);
}

#[test]
fn what_can_hit_nothing_more_is_let_go_and_its_number_stays_counted() {
    let log = log_of(3);
    log.sweep(LATER);
    let page = log.page(0, 10);
    assert_eq!((page.entries.len(), page.position.seq), (0, 3));
}

#[test]
fn a_reader_never_sees_less_while_everything_is_taken_over_again() {
    let log = log_of(50);
    let position = log.position();
    let entry = |seq| Revocation { seq, target: RevocationTarget::Token(seq.to_string()), expires_at: LATER };
    std::thread::scope(|threads| {
        let replacing = threads.spawn(|| {
            for _ in 0..500 {
                log.replace((1..=50).map(entry).collect(), position, NOW);
            }
        });
        while !replacing.is_finished() {
            let page = log.page(0, 100);
            assert_eq!((page.position, page.entries.len()), (position, 50));
        }
    });
}

#[test]
fn a_clock_that_jumped_ahead_and_back_is_noticed_by_what_was_let_go() {
    let log = log_of(3);
    assert!(!log.has_let_go_after(NOW.minus(Duration::from_secs(1))), "nothing was");
    log.sweep_now_and_then(LATER);
    assert!(log.has_let_go_after(NOW) && !log.has_let_go_after(LATER));
}
