//! The tables as diesel sees them; `migrations/` makes them. Both databases have the same.

diesel::table! {
    users (id) {
        id -> Text,
        username -> Text,
        password_hash -> Text,
        password_epoch -> BigInt,
        roles -> Text,
        created_at -> BigInt,
        last_login_at -> Nullable<BigInt>,
        disabled_at -> Nullable<BigInt>,
        name_key -> Nullable<Text>,
        name_skeleton -> Nullable<Text>,
        legacy_id -> Nullable<Text>,
        import_mark -> Nullable<Text>,
        profile -> Text,
        password_scheme -> Text,
        password_set_at -> Nullable<BigInt>,
        email -> Nullable<Text>,
        email_key -> Nullable<Text>,
        email_verified_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    sessions (id) {
        id -> Text,
        user_id -> Text,
        client_id -> Text,
        scope -> Text,
        audience -> Text,
        auth_time -> BigInt,
        amr -> Text,
        created_at -> BigInt,
        idle_expires_at -> BigInt,
        expires_at -> BigInt,
        generation -> BigInt,
        rotated_at -> BigInt,
        ended_at -> Nullable<BigInt>,
        end_reason -> Nullable<Text>,
        device -> Nullable<Text>,
        browser_session_id -> Nullable<Text>,
        offline -> Bool,
        userinfo_claims -> Text,
    }
}

diesel::table! {
    browser_sessions (id) {
        id -> Text,
        secret_hash -> Binary,
        user_id -> Text,
        auth_time -> BigInt,
        amr -> Text,
        created_at -> BigInt,
        idle_expires_at -> BigInt,
        expires_at -> BigInt,
        ended_at -> Nullable<BigInt>,
        device -> Nullable<Text>,
    }
}

diesel::table! {
    consents (user_id, client_id, audience) {
        user_id -> Text,
        client_id -> Text,
        audience -> Text,
        scope -> Text,
        granted_at -> BigInt,
        expires_at -> BigInt,
    }
}

diesel::table! {
    logout_notices (client_id, browser_session_id) {
        client_id -> Text,
        browser_session_id -> Text,
        user_id -> Text,
        created_at -> BigInt,
        attempts -> BigInt,
        next_attempt_at -> BigInt,
    }
}

diesel::table! {
    device_requests (code_hash) {
        code_hash -> Binary,
        user_code -> Text,
        client_id -> Text,
        scope -> Text,
        audience -> Text,
        state -> Text,
        user_id -> Nullable<Text>,
        browser_session_id -> Nullable<Text>,
        password_epoch -> Nullable<BigInt>,
        auth_time -> Nullable<BigInt>,
        amr -> Nullable<Text>,
        session_id -> Text,
        expires_at -> BigInt,
        client_ip -> Nullable<Text>,
        device -> Nullable<Text>,
    }
}

diesel::table! {
    clients (id) {
        id -> Text,
        scope -> Text,
        audiences -> Text,
        grants -> Text,
        secret_hash -> Binary,
        previous_secret_hash -> Nullable<Binary>,
        previous_secret_expires_at -> Nullable<BigInt>,
        created_at -> BigInt,
        disabled_at -> Nullable<BigInt>,
        introspects -> Text,
        cors_origins -> Text,
        name -> Text,
        redirect_uris -> Text,
        post_logout_redirect_uris -> Text,
        backchannel_logout_uri -> Nullable<Text>,
        id_token_algorithm -> Nullable<Text>,
        pkce_optional -> Bool,
        first_party -> Bool,
        public -> Bool,
        auth_method -> Nullable<Text>,
        jwks -> Nullable<Text>,
        jwks_uri -> Nullable<Text>,
        workload_issuer -> Nullable<Text>,
        workload_subject -> Nullable<Text>,
        workload_claims -> Nullable<Text>,
        token_binding -> Nullable<Text>,
        certificate -> Nullable<Text>,
    }
}

diesel::table! {
    audiences (name) {
        name -> Text,
        algorithm -> Nullable<Text>,
        created_at -> BigInt,
        encryption_jwks -> Nullable<Text>,
        token_type -> Nullable<Text>,
    }
}

diesel::table! {
    signing_keys (kid) {
        kid -> Text,
        algorithm -> Text,
        sealed_private_key -> Binary,
        public_jwk -> Text,
        created_at -> BigInt,
        published_at -> BigInt,
        activates_at -> BigInt,
        retires_at -> Nullable<BigInt>,
        removed_at -> Nullable<BigInt>,
        revoked_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    revocations (seq) {
        seq -> BigInt,
        kind -> Text,
        id -> Text,
        not_before -> Nullable<BigInt>,
        expires_at -> BigInt,
    }
}

diesel::table! {
    counters (name) {
        name -> Text,
        value -> BigInt,
    }
}

diesel::table! {
    secrets (purpose) {
        purpose -> Text,
        sealed -> Binary,
    }
}

diesel::table! {
    login_failures (id) {
        id -> Text,
        until -> BigInt,
    }
}

diesel::table! {
    audit (seq) {
        seq -> BigInt,
        at -> BigInt,
        action -> Text,
        outcome -> Text,
        actor -> Text,
        user_id -> Nullable<Text>,
        client_id -> Nullable<Text>,
        session_id -> Nullable<Text>,
        key_id -> Nullable<Text>,
        detail -> Text,
        mac -> Binary,
        request_id -> Nullable<Text>,
        client_ip -> Nullable<Text>,
        user_agent -> Nullable<Text>,
        username -> Nullable<Text>,
        salt -> Nullable<Binary>,
        personal_mac -> Nullable<Binary>,
    }
}

diesel::table! {
    audit_checkpoint (id) {
        id -> BigInt,
        seq -> BigInt,
        mac -> Binary,
        seal -> Binary,
    }
}

diesel::table! {
    replicas (id) {
        id -> Text,
        seen_at -> BigInt,
    }
}

diesel::table! {
    verifiers (id) {
        id -> Text,
        replica -> Text,
        client_id -> Text,
        address -> Text,
        kids -> Text,
    }
}

diesel::table! {
    second_factors (user_id) {
        user_id -> Text,
        sealed_secret -> Binary,
        confirmed_at -> Nullable<BigInt>,
        last_step -> BigInt,
    }
}

diesel::table! {
    recovery_codes (user_id, code_hash) {
        user_id -> Text,
        code_hash -> Binary,
    }
}

diesel::table! {
    legacy_tokens (jti) {
        jti -> Text,
        expires_at -> BigInt,
    }
}

diesel::joinable!(sessions -> users (user_id));
diesel::joinable!(browser_sessions -> users (user_id));
diesel::table! {
    trusted_issuers (issuer) {
        issuer -> Text,
        jwks -> Nullable<Text>,
        jwks_uri -> Nullable<Text>,
        audience -> Nullable<Text>,
        created_at -> BigInt,
    }
}

diesel::table! {
    exchange_rules (client_id, from_audience, to_audience) {
        client_id -> Text,
        from_audience -> Text,
        to_audience -> Text,
        scope -> Text,
        impersonates -> Bool,
        created_at -> BigInt,
    }
}

diesel::allow_tables_to_appear_in_same_query!(sessions, users);
diesel::allow_tables_to_appear_in_same_query!(browser_sessions, users);
diesel::allow_tables_to_appear_in_same_query!(browser_sessions, consents);
diesel::allow_tables_to_appear_in_same_query!(browser_sessions, sessions);
diesel::allow_tables_to_appear_in_same_query!(consents, users);
diesel::allow_tables_to_appear_in_same_query!(sessions, clients);
diesel::allow_tables_to_appear_in_same_query!(verifiers, replicas);
