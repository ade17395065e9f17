use serde_json::json;

use super::*;
use crate::import::names::GROUP;

fn map() -> FieldMap {
    let words = |text: &str| text.split(' ').map(str::to_owned).collect();
    let roles = [("staff", "is_staff"), ("editor", "group:Editors"), ("poster", "permission:blog.add_post")];
    FieldMap {
        user_model: "auth.user".to_owned(),
        user_table: "auth_user".to_owned(),
        user_id: "id".to_owned(),
        username: "username".to_owned(),
        password: "password".to_owned(),
        active: ActiveFlag::parse("is_active"),
        email: "email".to_owned(),
        date_joined: "date_joined".to_owned(),
        attributes: words("email is_staff groups permissions tenant"),
        roles: roles.map(|(role, source)| (role.to_owned(), source.to_owned())).into(),
    }
}

fn names() -> Names {
    let mut names = Names::default();
    let learn = |names: &mut Names, model: &str, pk: Value, fields: Value| {
        names.learn(model, &pk, fields.as_object().unwrap());
    };
    // In an order in which each refers to what comes later.
    learn(&mut names, "auth.group", json!(1), json!({"name": "Editors", "permissions": [3]}));
    learn(&mut names, "contenttypes.contenttype", json!(7), json!({"app_label": "blog", "model": "post"}));
    learn(&mut names, "auth.permission", json!(3), json!({"codename": "add_post", "content_type": 7}));
    learn(
        &mut names,
        "auth.permission",
        json!(4),
        json!({"codename": "see", "content_type": ["wiki", "page"]}),
    );
    names
}

fn read(pk: Value, fields: Value) -> Item {
    user(&map(), &names(), 9, &pk, fields.as_object().unwrap())
}

#[test]
fn an_account_brings_its_roles_and_what_claims_are_made_of() {
    let fields = json!({
        "username": "alice", "password": "!x", "is_staff": 1, "is_active": true, "email": "a@example.org",
        "date_joined": "2026-01-02T03:04:05.678Z", "groups": [1], "user_permissions": [["see", "wiki", "page"]],
        "tenant": {"id": 7}, "phone": "not asked for",
    });
    let Item::User(user) = read(json!(42), fields) else { panic!("it is whole") };
    assert_eq!((user.legacy_id.as_str(), user.disabled), ("42", false));
    assert_eq!(user.roles, ["editor", "poster", "staff"]);
    assert_eq!(user.created_at, Some(1_767_323_045_678));
    let profile: Value = serde_json::from_str(&user.profile).unwrap();
    let expected = json!({
        "email": "a@example.org", "is_staff": true, "groups": ["Editors"],
        "permissions": ["blog.add_post", "wiki.see"], "tenant": {"id": 7},
    });
    assert_eq!(profile, expected);
}

#[test]
fn what_is_lost_is_named_and_the_account_comes_all_the_same() {
    let fields = json!({"username": "bob", "password": "crypt$x", "groups": [99], "is_active": false});
    let Item::Reduced(user, problem) = read(json!("5f0c"), fields) else { panic!("something is lost") };
    assert_eq!((user.password_hash.as_str(), user.disabled), (NO_PASSWORD, true));
    assert_eq!(
        problem.line(),
        "record 9, pk 5f0c, \"bob\": comes without its password: the hash is of no known format: set one with `auth-service user \
         passwd`; \
         group 99 is unknown: dump auth.group too, each record once"
    );
    for (pk, fields) in [
        (json!(1), json!({"username": "ok", "password": "!"})),
        (json!(1), json!({"username": "", "password": "!", "is_active": true})),
        (json!(1), json!({"password": "!"})),
        (json!(1), json!({"username": "a\u{0}b"})),
        (json!(null), json!({"username": "ok"})),
        (json!("x".repeat(65)), json!({"username": "ok"})),
    ] {
        assert!(matches!(read(pk, fields), Item::Unusable(_)));
    }
}

/// The roles and permissions of a user in a dump whose records have these keys and references.
fn rights(groups: &[(Value, Value)], reference: Value) -> (Vec<String>, String) {
    let mut names = Names::default();
    for (pk, fields) in groups {
        names.learn(GROUP, pk, fields.as_object().unwrap());
    }
    let fields = json!({
        "username": "customer", "password": "!", "is_active": true, "groups": [reference], "user_permissions": [],
    });
    match user(&map(), &names, 1, &json!(7), fields.as_object().unwrap()) {
        Item::User(user) => (user.roles, String::new()),
        Item::Reduced(user, problem) => (user.roles, problem.what),
        Item::Blacklisted(_) | Item::Unusable(_) | Item::Broken(_) => panic!("it is a user"),
    }
}

#[test]
fn a_group_without_a_key_gives_nobody_its_rights_but_those_who_name_it() {
    let group = |name: &str| json!({"name": name, "permissions": [["add_post", "blog", "post"]]});
    let customers = || json!({"name": "Customers", "permissions": []});
    for nothing in [json!(null), json!(""), json!([]), json!({}), json!(true)] {
        let keyless = [(nothing.clone(), customers()), (nothing.clone(), group("Editors"))];
        for reference in [json!(1), json!(2), json!(""), json!(null), json!([]), json!([null])] {
            let (roles, why) = rights(&keyless, reference.clone());
            assert!(roles.is_empty(), "{nothing} {reference}: {roles:?}");
            assert!(why.contains("is unknown"), "{nothing} {reference}: {why}");
        }
        assert!(rights(&keyless, json!(1)).1.contains("--natural-foreign"));
        assert_eq!(rights(&keyless, json!(["Customers"])), (vec![], String::new()));
        assert_eq!(rights(&keyless, json!(["Editors"])).0, ["editor", "poster"]);
    }
    // The same key twice: which one is meant is not known.
    let twice = [(json!(1), customers()), (json!(1), group("Editors"))];
    assert!(rights(&twice, json!(1)).0.is_empty() && rights(&twice, json!(1)).1.contains("once"));
    let same = [(json!(1), group("Editors")), (json!(1), group("Editors"))];
    assert_eq!(rights(&same, json!(1)).0, ["editor", "poster"]);
}

#[test]
fn a_user_without_an_id_is_refused_with_the_option_that_took_it() {
    let fields = json!({"username": "ok", "password": "!", "is_active": true});
    let Item::Unusable(problem) = read(Value::Null, fields.clone()) else { panic!("it has no ID") };
    assert!(problem.what.contains("--natural-primary"), "{}", problem.what);
    let by_name = FieldMap { user_id: "email".to_owned(), ..map() };
    let Item::Unusable(problem) = user(&by_name, &names(), 1, &json!(1), fields.as_object().unwrap()) else {
        panic!("it has no ID")
    };
    assert!(problem.what.contains("`email` (django.user_id)"), "{}", problem.what);
}

#[test]
fn who_may_log_in_is_said_by_a_flag_its_opposite_a_time_or_by_nothing() {
    let active =
        |setting: &str, fields: Value| is_active(&ActiveFlag::parse(setting), fields.as_object().unwrap());
    let table = [
        ("is_active", json!({"is_active": true}), Some(true)),
        ("is_active", json!({"is_active": 0}), Some(false)),
        ("is_active", json!({}), None),
        ("is_active", json!({"is_active": null}), None),
        ("is_active", json!({"is_active": "yes"}), None),
        ("!is_blocked", json!({"is_blocked": true}), Some(false)),
        ("! is_blocked", json!({"is_blocked": false}), Some(true)),
        ("!is_blocked", json!({"is_blocked": 1}), Some(false)),
        ("!is_blocked", json!({}), None),
        ("!blocked_at", json!({"blocked_at": null}), Some(true)),
        ("!blocked_at", json!({"blocked_at": "2026-01-02T03:04:05Z"}), Some(false)),
        ("always", json!({}), Some(true)),
    ];
    for (setting, fields, expected) in table {
        assert_eq!(active(setting, fields.clone()), expected, "{setting} {fields}");
    }
}
