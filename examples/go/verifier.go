// A resource service in Go: `verifier https://auth.example.com orders 127.0.0.1:8090`.
//
// go-oidc verifies tokens with the key set of the authority. Version 2 knows no EdDSA: let the audience have RS256 or ES256
// (`audience create orders --algorithm RS256`). A revoked token is accepted until it expires; docs/revocation-protocol.md says
// how a service can refuse it within a second.
package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"log"
	"net/http"
	"os"
	"strings"

	oidc "github.com/coreos/go-oidc"
)

type claims struct {
	Subject  string `json:"sub"`
	ClientID string `json:"client_id"`
	Scope    string `json:"scope"`
	// Bound to a key or certificate, which is not looked at here: who shows the token alone may be a thief (RFC 7800).
	Confirmation json.RawMessage `json:"cnf"`
}

// Not every JWT is an access token (RFC 9068 section 4).
func isAccessToken(token string) bool {
	var header struct {
		Type string `json:"typ"`
	}
	text, err := base64.RawURLEncoding.DecodeString(strings.SplitN(token, ".", 2)[0])
	return err == nil && json.Unmarshal(text, &header) == nil && strings.EqualFold(header.Type, "at+jwt")
}

// The claims of `Authorization: Bearer TOKEN` (RFC 6750), whose token must allow the scope; else the status of the refusal.
func authorize(verifier *oidc.IDTokenVerifier, request *http.Request, scope string) (claims, int) {
	var found claims
	scheme, token, _ := strings.Cut(request.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "bearer") || !isAccessToken(token) {
		return found, http.StatusUnauthorized
	}
	verified, err := verifier.Verify(request.Context(), token)
	if err != nil || verified.Claims(&found) != nil || found.ClientID == "" || found.Confirmation != nil {
		return found, http.StatusUnauthorized
	}
	for _, allowed := range strings.Fields(found.Scope) {
		if allowed == scope {
			return found, http.StatusOK
		}
	}
	return found, http.StatusForbidden
}

func main() {
	if len(os.Args) != 4 {
		log.Fatal("usage: verifier AUTHORITY AUDIENCE ADDRESS")
	}
	issuer, audience, address := os.Args[1], os.Args[2], os.Args[3]
	keys := oidc.NewRemoteKeySet(context.Background(), issuer+"/.well-known/jwks.json")
	config := &oidc.Config{ClientID: audience, SupportedSigningAlgs: []string{oidc.RS256, oidc.ES256}}
	verifier := oidc.NewVerifier(issuer, keys, config)
	http.HandleFunc("/orders", func(response http.ResponseWriter, request *http.Request) {
		caller, status := authorize(verifier, request, "orders:read")
		response.Header().Set("Content-Type", "application/json")
		if status == http.StatusUnauthorized {
			response.Header().Set("WWW-Authenticate", "Bearer")
		}
		response.WriteHeader(status)
		if status == http.StatusOK {
			json.NewEncoder(response).Encode(map[string]any{"caller": caller.Subject, "orders": []string{}})
		}
	})
	log.Fatal(http.ListenAndServe(address, nil))
}
