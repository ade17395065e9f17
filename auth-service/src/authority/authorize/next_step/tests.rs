//! Every cell of prompt x max_age x acr x consent x session x what was done, against the rules as the specifications word
//! them: written here a second time, one rule a line, and not as the code decides.

use super::*;

const NOW: Timestamp = Timestamp(1_000_000_000);

#[derive(Debug, Clone, Copy)]
struct Cell {
    prompt: Prompt,
    max_age: Option<u64>,
    wish: Wish,
    hint: Hint,
    session: Option<(Age, Acr, bool)>,
    done: Done,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Wish {
    None,
    VoluntaryTwo,
    EssentialTwo,
    Impossible,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Hint {
    None,
    Same,
    Other,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Age {
    Fresh,
    Old,
}

fn cells() -> Vec<Cell> {
    let bools = [false, true];
    let mut prompts = vec![Prompt { none: true, ..Prompt::default() }];
    for login in bools {
        for consent in bools {
            for select_account in bools {
                prompts.push(Prompt { none: false, login, consent, select_account });
            }
        }
    }
    let mut sessions = vec![None];
    for age in [Age::Fresh, Age::Old] {
        for acr in Acr::ALL {
            sessions.extend(bools.map(|consented| Some((age, acr, consented))));
        }
    }
    let mut all = Vec::new();
    for prompt in prompts {
        for max_age in [None, Some(0), Some(100), Some(10_000)] {
            for wish in [Wish::None, Wish::VoluntaryTwo, Wish::EssentialTwo, Wish::Impossible] {
                for hint in [Hint::None, Hint::Same, Hint::Other] {
                    for session in &sessions {
                        for bits in 0..8 {
                            let done = Done {
                                logged_in: bits & 1 > 0,
                                chose_account: bits & 2 > 0,
                                consented: bits & 4 > 0,
                            };
                            all.push(Cell { prompt, max_age, wish, hint, session: *session, done });
                        }
                    }
                }
            }
        }
    }
    all
}

fn outcome(cell: &Cell) -> NextStep {
    let acr = match cell.wish {
        Wish::None => AcrWish::default(),
        Wish::VoluntaryTwo => AcrWish { any_of: vec![Acr::TwoFactors], ..AcrWish::default() },
        Wish::EssentialTwo => {
            AcrWish { any_of: vec![Acr::TwoFactors], is_essential: true, is_impossible: false }
        }
        Wish::Impossible => AcrWish { any_of: Vec::new(), is_essential: true, is_impossible: true },
    };
    let candidate = |(age, acr, is_consented)| Candidate {
        user_id: "user",
        auth_time: NOW.minus(Duration::from_secs(if age == Age::Fresh { 1 } else { 1000 })),
        acr,
        is_consented,
    };
    next_step(&Situation {
        prompt: cell.prompt,
        max_age: cell.max_age.map(Duration::from_secs),
        acr: &acr,
        hinted_user: match cell.hint {
            Hint::None => None,
            Hint::Same => Some("user"),
            Hint::Other => Some("another"),
        },
        session: cell.session.map(candidate),
        progress: cell.done,
        now: NOW,
    })
}

fn is_page(step: NextStep) -> bool {
    matches!(step, NextStep::SignIn | NextStep::ChooseAccount | NextStep::Consent)
}

#[test]
fn every_cell_keeps_every_rule() {
    let all = cells();
    assert_eq!(all.len(), 9 * 4 * 4 * 3 * 9 * 8);
    for cell in &all {
        let step = outcome(cell);
        let Cell { prompt, max_age, wish, hint, session, done } = *cell;
        let holds = |rule: &str, kept: bool| assert!(kept, "{rule}: {step:?} for {cell:?}");
        holds("prompt=none shows no page (Core 3.1.2.1)", !prompt.none || !is_page(step));
        let Some((age, acr, consented)) = session else {
            let expected =
                if prompt.none { NextStep::Refuse(AuthorizeFault::LoginRequired) } else { NextStep::SignIn };
            holds("nobody is logged in", step == expected);
            continue;
        };
        let finish = step == NextStep::Finish;
        let seconds = if age == Age::Fresh { 1 } else { 1000 };
        let too_old = max_age.is_some_and(|most| seconds > most);
        holds("prompt=login wants one login", !(finish && prompt.login && !done.logged_in));
        holds("max_age wants one login", !(finish && too_old && !done.logged_in));
        holds("one login is enough", !(step == NextStep::SignIn && done.logged_in));
        holds(
            "an account is chosen",
            !finish || !prompt.select_account || done.chose_account || done.logged_in,
        );
        holds("and only once", !(step == NextStep::ChooseAccount && (done.chose_account || done.logged_in)));
        holds("nobody chooses unasked", step != NextStep::ChooseAccount || prompt.select_account);
        holds(
            "an essential acr is reached",
            !(finish && wish == Wish::EssentialTwo && acr == Acr::OneFactor),
        );
        holds("an impossible one is not", !(finish && wish == Wish::Impossible));
        holds("the hinted user or none (Core 3.1.2.1)", !(finish && hint == Hint::Other));
        holds("consent is asked for", !(finish && !consented && !done.consented));
        holds("prompt=consent asks always", !(finish && prompt.consent && !done.consented));
        holds("and only once", !(step == NextStep::Consent && done.consented));
        holds(
            "nobody is asked for what is given",
            step != NextStep::Consent || !consented || prompt.consent || prompt.none,
        );
        if let NextStep::Refuse(fault) = step {
            let unmet = fault == AuthorizeFault::UnmetAuthenticationRequirements;
            let cannot = wish == Wish::Impossible || (wish == Wish::EssentialTwo && acr == Acr::OneFactor);
            holds("refused for its acr", !unmet || cannot);
            let wrong_user = fault == AuthorizeFault::LoginRequired && hint == Hint::Other && done.logged_in;
            holds("without prompt=none only these refuse", prompt.none || unmet || wrong_user);
        }
        // What nothing asks for goes through: single sign-on.
        let plain = prompt == Prompt { none: prompt.none, ..Prompt::default() };
        let acr_fits = wish == Wish::None || (wish != Wish::Impossible && acr == Acr::TwoFactors);
        if plain && !too_old && acr_fits && hint != Hint::Other && consented {
            holds("single sign-on", finish);
        }
    }
}

#[test]
fn each_outcome_occurs() {
    let all: Vec<NextStep> = cells().iter().map(outcome).collect();
    for step in [
        NextStep::SignIn,
        NextStep::ChooseAccount,
        NextStep::Consent,
        NextStep::Finish,
        NextStep::Refuse(AuthorizeFault::LoginRequired),
        NextStep::Refuse(AuthorizeFault::ConsentRequired),
        NextStep::Refuse(AuthorizeFault::UnmetAuthenticationRequirements),
    ] {
        assert!(all.contains(&step), "{step:?}");
    }
}
