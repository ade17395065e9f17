use serde_json::json;

use super::*;

#[test]
fn the_usual_dictionary_becomes_settings() {
    let given = json!({
        "ACCESS_TOKEN_LIFETIME": "0:10:00",
        "REFRESH_TOKEN_LIFETIME": "14 days, 0:00:00",
        "ROTATE_REFRESH_TOKENS": true,
        "BLACKLIST_AFTER_ROTATION": true,
        "UPDATE_LAST_LOGIN": true,
        "ALGORITHM": "HS256",
        "SIGNING_KEY": "not to be repeated",
        "AUDIENCE": null,
        "AUTH_HEADER_TYPES": ["Bearer", "JWT"],
        "USER_ID_FIELD": "id",
        "USER_ID_CLAIM": "user_id",
        "TOKEN_OBTAIN_SERIALIZER": "accounts.serializers.MyTokenObtainPairSerializer",
    });
    let converted = convert(&given.to_string()).unwrap();
    let text = converted.text();
    for line in [
        "access_ttl = \"10m\"",
        "refresh_idle_ttl = \"14d\"",
        "rotate_refresh_tokens = true",
        "header_types = \"Bearer, JWT\"",
        "legacy_algorithm = \"HS256\"",
        "legacy_key_file = \"data/legacy.key\"",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    assert!(!text.contains("not to be repeated") && !converted.document().to_string().contains("repeated\""));
    assert_eq!(converted.without_counterpart().collect::<Vec<_>>(), ["TOKEN_OBTAIN_SERIALIZER"]);
    assert!(!converted.has_wrong());
}

#[test]
fn origins_of_browser_applications_become_exact_ones() {
    let given = json!({
        "CORS_ALLOWED_ORIGINS": ["https://App.example.com", "http://localhost:5173", "https://app.example.com/x"],
        "CORS_ALLOWED_ORIGIN_REGEXES": ["^https://.*$"],
        "CORS_ALLOW_ALL_ORIGINS": true,
        "CORS_ALLOW_HEADERS": ["x"],
    });
    let converted = convert(&given.to_string()).unwrap();
    let origins = "cors_allowed_origins = \"https://app.example.com, http://localhost:5173\"";
    assert!(converted.text().contains(origins), "{}", converted.text());
    assert_eq!(converted.wrong_names().collect::<Vec<_>>(), ["CORS_ALLOWED_ORIGINS"], "a path");
    let missing: Vec<_> = converted.without_counterpart().collect();
    assert_eq!(missing, ["CORS_ALLOWED_ORIGIN_REGEXES", "CORS_ALLOW_ALL_ORIGINS"]);
}

#[test]
fn code_is_named_and_the_rest_is_converted() {
    let given = json!({
        "ACCESS_TOKEN_LIFETIME": "datetime.timedelta(minutes=5)",
        "REFRESH_TOKEN_LIFETIME": 86400,
        "ALGORITHM": "os.environ['ALG']",
        "AUTH_HEADER_TYPES": "tuple(x)",
        "SECRET_KEY": "x",
        "FOO": 1,
    });
    let converted = convert(&given.to_string()).unwrap();
    let wrong: Vec<&str> = converted.wrong_names().collect();
    assert_eq!(wrong, ["ACCESS_TOKEN_LIFETIME", "ALGORITHM", "AUTH_HEADER_TYPES", "SECRET_KEY", "FOO"]);
    assert!(converted.text().contains("refresh_idle_ttl = \"1d\""));
    assert!(convert("SIMPLE_JWT = {...}").unwrap_err().contains("manage.py shell"));
    assert!(convert("[]").is_err());
}

#[test]
fn a_text_is_a_text_whatever_it_contains_and_an_algorithm_that_the_start_refuses_is_named() {
    for literal in [
        "https://settings.example.org",
        "https://a.b/os.environ/x",
        "notes (production)",
        "a[b",
        "import-export",
    ] {
        let converted = convert(&json!({"ISSUER": literal}).to_string()).unwrap();
        assert!(!converted.has_wrong(), "{literal}");
        assert!(converted.text().contains(literal), "{literal}");
    }
    for code in ["settings.SECRET", "os.environ['X']", "tuple(x)", "[1]", "lambda: 1", "a.b.c(1)"] {
        assert!(convert(&json!({"ISSUER": code}).to_string()).unwrap().has_wrong(), "{code}");
    }
    for algorithm in LEGACY_ALGORITHMS {
        let text = convert(&json!({"ALGORITHM": algorithm}).to_string()).unwrap().text();
        assert!(text.contains(&format!("legacy_algorithm = \"{algorithm}\"")), "{text}");
    }
    for algorithm in ["PS256", "ES512", "EdDSA", "none"] {
        let converted = convert(&json!({"ALGORITHM": algorithm}).to_string()).unwrap();
        assert!(!converted.text().contains("legacy_algorithm = "), "{algorithm}");
        assert_eq!(converted.without_counterpart().collect::<Vec<_>>(), ["ALGORITHM"]);
    }
}

#[test]
fn what_our_settings_would_refuse_is_named_and_a_key_that_is_not_there_is_djangos() {
    let given = json!({
        "ACCESS_TOKEN_LIFETIME": "30 days, 0:00:00",
        "REFRESH_TOKEN_LIFETIME": "1000 days, 0:00:00",
        "LEEWAY": 120,
        "SIGNING_KEY": "",
        "VERIFYING_KEY": null,
        "USER_ID_CLAIM": "sub",
    });
    let converted = convert(&given.to_string()).unwrap();
    let missing: Vec<&str> = converted.without_counterpart().collect();
    assert_eq!(missing, ["ACCESS_TOKEN_LIFETIME", "REFRESH_TOKEN_LIFETIME", "LEEWAY"]);
    let text = converted.text();
    assert!(text.contains("legacy_key_file") && text.contains("legacy_user_id_claim = \"sub\""), "{text}");
    assert!(!text.contains("_ttl = ") && !text.contains("[claims]"), "{text}");
}

#[test]
fn every_setting_of_simplejwt_is_known() {
    let all = [
        "ACCESS_TOKEN_LIFETIME",
        "REFRESH_TOKEN_LIFETIME",
        "ROTATE_REFRESH_TOKENS",
        "BLACKLIST_AFTER_ROTATION",
        "UPDATE_LAST_LOGIN",
        "ALGORITHM",
        "SIGNING_KEY",
        "VERIFYING_KEY",
        "AUDIENCE",
        "ISSUER",
        "JSON_ENCODER",
        "JWK_URL",
        "LEEWAY",
        "AUTH_HEADER_TYPES",
        "AUTH_HEADER_NAME",
        "USER_ID_FIELD",
        "USER_ID_CLAIM",
        "USER_AUTHENTICATION_RULE",
        "ON_LOGIN_SUCCESS",
        "ON_LOGIN_FAILED",
        "AUTH_TOKEN_CLASSES",
        "TOKEN_TYPE_CLAIM",
        "JTI_CLAIM",
        "TOKEN_USER_CLASS",
        "SLIDING_TOKEN_REFRESH_EXP_CLAIM",
        "SLIDING_TOKEN_LIFETIME",
        "SLIDING_TOKEN_REFRESH_LIFETIME",
        "TOKEN_OBTAIN_SERIALIZER",
        "TOKEN_REFRESH_SERIALIZER",
        "TOKEN_VERIFY_SERIALIZER",
        "TOKEN_BLACKLIST_SERIALIZER",
        "TOKEN_OBTAIN_SLIDING_SERIALIZER",
        "TOKEN_REFRESH_SLIDING_SERIALIZER",
        "CHECK_REVOKE_TOKEN",
        "REVOKE_TOKEN_CLAIM",
        "CHECK_USER_IS_ACTIVE",
    ];
    for name in all {
        let converted = convert(&json!({name: null}).to_string()).unwrap();
        assert!(!converted.text().contains("no setting of simplejwt"), "{name}");
    }
}
