use super::*;

const GRACE: Duration = Duration::from_secs(10);

fn session() -> Session {
    Session {
        id: "s".to_owned(),
        user_id: "u".to_owned(),
        client_id: ClientId::parse("web").unwrap(),
        scope: ScopeSet::default(),
        audience: "notes".to_owned(),
        auth_time: Timestamp(0),
        amr: vec![],
        created_at: Timestamp(0),
        idle_expires_at: Timestamp(3_600_000),
        expires_at: Timestamp(7_200_000),
        generation: 5,
        rotated_at: Timestamp(1_000_000),
        ended: None,
        device: None,
        browser: None,
    }
}

fn presented(generation: i64, at: i64) -> Presented {
    Presented {
        session_id: "s".to_owned(),
        generation,
        client_id: ClientId::parse("web").unwrap(),
        now: Timestamp(at),
        grace: GRACE,
    }
}

#[test]
fn the_evaluation_follows_the_generation_and_the_grace() {
    let table = [
        ("the current generation", 5, 1_000_001, Evaluation::Current),
        ("its predecessor at once", 4, 1_000_000, Evaluation::Repeated),
        ("its predecessor at the end of the grace", 4, 1_010_000, Evaluation::Repeated),
        ("its predecessor after the grace", 4, 1_010_001, Evaluation::Reused),
        ("its predecessor, the clock two hours back", 4, -6_200_000, Evaluation::Reused),
        ("one before that, at once", 3, 1_000_000, Evaluation::Reused),
        ("a generation that never was", 6, 1_000_001, Evaluation::Reused),
        ("the current one after the idle end", 5, 3_600_000, Evaluation::Expired),
        ("a reuse after the idle end", 1, 3_600_000, Evaluation::Expired),
    ];
    for (what, generation, at, expected) in table {
        assert_eq!(session().evaluate(&presented(generation, at)), expected, "{what}");
    }
}

#[test]
fn without_a_grace_a_retry_is_reuse() {
    let strict = Presented { grace: Duration::ZERO, ..presented(4, 1_000_000) };
    assert_eq!(session().evaluate(&strict), Evaluation::Reused);
}

#[test]
fn another_client_learns_nothing() {
    let foreign = Presented { client_id: ClientId::parse("other").unwrap(), ..presented(1, 1_000_001) };
    assert_eq!(session().evaluate(&foreign), Evaluation::NotYours);
    let ended = Session { ended: Some(Ended { at: Timestamp(1), reason: EndReason::Reuse }), ..session() };
    assert_eq!(ended.evaluate(&foreign), Evaluation::NotYours);
    assert_eq!(ended.evaluate(&presented(5, 1_000_001)), Evaluation::Ended);
}
