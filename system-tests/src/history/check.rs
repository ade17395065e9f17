use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use super::{Act, Audience, Event, History, Outcome};

/// A promise that a history breaks, with the events that show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    pub promise: &'static str,
    pub shown_by: String,
}

/// All promises that the history breaks. A used refresh token gets its successor again within `grace`; anyone who is told
/// refuses what was revoked within `bound`.
#[must_use]
pub fn check(history: &History, grace: Duration, bound: Duration) -> Vec<Broken> {
    let mut broken = Vec::new();
    let mut say = |promise, shown_by: String| broken.push(Broken { promise, shown_by });
    for (session, events) in by_session(history) {
        one_successor(&events, |shown| say("a generation has one successor", format!("{session}: {shown}")));
        no_return(&events, |shown| say("an ended session gets nothing", format!("{session}: {shown}")));
        no_reuse(&events, grace, |shown| say("what is spent stays spent", format!("{session}: {shown}")));
        no_loss(&events, |shown| say("no session is lost", format!("{session}: {shown}")));
    }
    for (event, late) in late_acceptances(history) {
        if late > bound {
            say("what was taken back is refused", format!("{late:?} later: {event:?}"));
        }
    }
    for event in &history.events {
        let foreign = matches!(event.act, Act::Use { audience: Audience::Foreign, .. });
        if foreign && event.outcome == Outcome::Yes {
            say("a token is for its audience", format!("{event:?}"));
        }
    }
    broken
}

/// For how long after it was revoked, and could be known, a token or key was still accepted at most.
#[must_use]
pub fn longest_acceptance(history: &History) -> Duration {
    late_acceptances(history).into_iter().map(|(_, late)| late).max().unwrap_or_default()
}

fn by_session(history: &History) -> BTreeMap<&str, Vec<&Event>> {
    let mut sessions: BTreeMap<&str, Vec<&Event>> = BTreeMap::new();
    for event in &history.events {
        if let Act::Refresh { session, .. } | Act::End { session } = &event.act {
            sessions.entry(session).or_default().push(event);
        }
    }
    sessions
}

/// The refreshes that were answered with a pair: what was presented, what came.
fn rotations<'a>(events: &'a [&Event]) -> impl Iterator<Item = (&'a Event, u64, &'a str, u64)> {
    events.iter().filter_map(|event| match (&event.act, &event.outcome) {
        (Act::Refresh { generation: presented, .. }, Outcome::Pair { refresh, generation }) => {
            Some((*event, *presented, refresh.as_str(), *generation))
        }
        _ => None,
    })
}

fn one_successor(events: &[&Event], mut say: impl FnMut(String)) {
    let mut successors: HashMap<u64, BTreeSet<&str>> = HashMap::new();
    for (event, presented, refresh, generation) in rotations(events) {
        if generation != presented + 1 {
            say(format!("generation {presented} is followed by another: {event:?}"));
        }
        successors.entry(presented).or_default().insert(refresh);
    }
    for (generation, found) in successors {
        if found.len() > 1 {
            say(format!("generation {generation} has {} successors", found.len()));
        }
    }
}

fn no_return(events: &[&Event], mut say: impl FnMut(String)) {
    let end = |event: &&&Event| matches!(event.act, Act::End { .. }) && event.outcome == Outcome::Yes;
    let Some(ended) = events.iter().filter(end).map(|event| event.ended).min() else { return };
    for (event, ..) in rotations(events) {
        if event.begun > ended {
            say(format!("ended at {ended:?}: {event:?}"));
        }
    }
}

fn no_reuse(events: &[&Event], grace: Duration, mut say: impl FnMut(String)) {
    for (event, presented, ..) in rotations(events) {
        let later = rotations(events).find(|(other, from, ..)| {
            let two_behind = *from > presented && other.ended < event.begun;
            let beyond_the_grace = *from == presented && other.ended + grace < event.begun;
            two_behind || beyond_the_grace
        });
        if let Some((other, ..)) = later {
            say(format!("{event:?} after {other:?}"));
        }
    }
}

/// A session ends by its end, or because a spent token was presented; by nothing else.
fn no_loss(events: &[&Event], mut say: impl FnMut(String)) {
    let newest = |before: Duration| {
        let known = rotations(events).filter(|(event, ..)| event.begun < before);
        known.map(|(.., generation)| generation).max().unwrap_or(0)
    };
    let may_end = |before: Duration| {
        events.iter().filter(|event| event.begun < before).any(|event| match event.act {
            Act::End { .. } => true,
            Act::Refresh { generation, .. } => generation + 1 < newest(before),
            Act::Use { .. } | Act::RevokeKey { .. } => false,
        })
    };
    for event in events {
        let refused = matches!(event.act, Act::Refresh { .. }) && event.outcome == Outcome::No;
        if refused && !may_end(event.ended) {
            say(format!("{event:?}"));
        }
    }
}

/// What verifiers accepted that had been revoked, and how long after they could have known of it.
fn late_acceptances(history: &History) -> Vec<(&Event, Duration)> {
    let mut sessions: HashMap<&str, Duration> = HashMap::new();
    let mut keys: HashMap<&str, Duration> = HashMap::new();
    for event in history.events.iter().filter(|event| event.outcome == Outcome::Yes) {
        let (known, id) = match &event.act {
            Act::End { session } => (&mut sessions, session),
            Act::RevokeKey { kid } => (&mut keys, kid),
            Act::Refresh { .. } | Act::Use { .. } => continue,
        };
        let since = known.entry(id).or_insert(event.ended);
        *since = event.ended.min(*since);
    }
    let mut late = Vec::new();
    for event in history.events.iter().filter(|event| event.outcome == Outcome::Yes) {
        let Act::Use { verifier, session, kid, .. } = &event.act else { continue };
        let taken_back = [sessions.get(session.as_str()), keys.get(kid.as_str())];
        let Some(taken_back) = taken_back.into_iter().flatten().min() else { continue };
        let cuts = history.cuts.iter().filter(|cut| cut.verifier == *verifier && cut.begun < event.begun);
        // Its last contact was when the last cut ended; within one it may have none at all.
        let heard = cuts.map(|cut| cut.ended).max().unwrap_or_default().max(*taken_back);
        if event.begun > heard {
            late.push((event, event.begun - heard));
        }
    }
    late
}

#[cfg(test)]
mod tests {
    use super::super::Cut;
    use super::*;

    const GRACE: Duration = Duration::from_secs(10);
    const BOUND: Duration = Duration::from_secs(1);

    fn at(begun: u64, ended: u64, act: Act, outcome: Outcome) -> Event {
        Event { begun: Duration::from_secs(begun), ended: Duration::from_secs(ended), act, outcome }
    }

    fn refresh(times: (u64, u64), generation: u64, outcome: Outcome) -> Event {
        at(times.0, times.1, Act::Refresh { session: "s".to_owned(), generation }, outcome)
    }

    fn pair(generation: u64, refresh: &str) -> Outcome {
        Outcome::Pair { refresh: refresh.to_owned(), generation }
    }

    fn end(begun: u64, ended: u64) -> Event {
        at(begun, ended, Act::End { session: "s".to_owned() }, Outcome::Yes)
    }

    fn used(begun: u64, audience: Audience) -> Event {
        let act = Act::Use { verifier: 0, session: "s".to_owned(), kid: "k".to_owned(), audience };
        at(begun, begun, act, Outcome::Yes)
    }

    fn broken(events: Vec<Event>, cuts: Vec<Cut>) -> Vec<&'static str> {
        let history = History { events, cuts };
        check(&history, GRACE, BOUND).into_iter().map(|broken| broken.promise).collect()
    }

    #[test]
    fn what_may_happen_breaks_nothing() {
        let life = vec![
            refresh((0, 1), 0, Outcome::Unknown),
            refresh((2, 3), 0, pair(1, "one")),
            refresh((4, 5), 0, pair(1, "one")),
            refresh((6, 7), 1, pair(2, "two")),
            used(8, Audience::Own),
            end(8, 9),
            refresh((8, 10), 2, pair(3, "three")),
            refresh((11, 12), 3, Outcome::No),
            used(10, Audience::Own),
        ];
        assert_eq!(broken(life, vec![]), [""; 0]);
    }

    #[test]
    fn each_broken_promise_is_found() {
        let fork = vec![refresh((0, 1), 0, pair(1, "one")), refresh((0, 2), 0, pair(1, "other"))];
        assert_eq!(broken(fork, vec![]), ["a generation has one successor"]);
        let back_to_life = vec![end(0, 1), refresh((2, 3), 0, pair(1, "one"))];
        assert_eq!(broken(back_to_life, vec![]), ["an ended session gets nothing"]);
        let reuse = vec![
            refresh((0, 1), 0, pair(1, "one")),
            refresh((2, 3), 1, pair(2, "two")),
            refresh((4, 5), 0, pair(1, "one")),
        ];
        assert_eq!(broken(reuse, vec![]), ["what is spent stays spent"]);
        let late_retry = vec![refresh((0, 1), 0, pair(1, "one")), refresh((12, 13), 0, pair(1, "one"))];
        assert_eq!(broken(late_retry, vec![]), ["what is spent stays spent"]);
        let lost = vec![refresh((0, 1), 0, pair(1, "one")), refresh((2, 3), 1, Outcome::No)];
        assert_eq!(broken(lost, vec![]), ["no session is lost"]);
        let still_accepted = vec![end(0, 1), used(3, Audience::Own)];
        assert_eq!(broken(still_accepted.clone(), vec![]), ["what was taken back is refused"]);
        let cut = Cut { verifier: 0, begun: Duration::ZERO, ended: Duration::from_secs(3) };
        assert_eq!(broken(still_accepted, vec![cut]), [""; 0]);
        let key = at(0, 1, Act::RevokeKey { kid: "k".to_owned() }, Outcome::Yes);
        assert_eq!(broken(vec![key, used(3, Audience::Own)], vec![]), ["what was taken back is refused"]);
        assert_eq!(broken(vec![used(0, Audience::Foreign)], vec![]), ["a token is for its audience"]);
    }
}
