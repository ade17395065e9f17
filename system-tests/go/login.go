// Logs in with go-oidc and x/oauth2, unmodified. A user drives it over its standard input and output.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"

	oidc "github.com/coreos/go-oidc"
	"golang.org/x/oauth2"
)

func must[T any](value T, err error) T {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return value
}

func say(document any) {
	fmt.Println(string(must(json.Marshal(document))))
}

func main() {
	issuer, id, secret, redirect := os.Args[1], os.Args[2], os.Args[3], os.Args[4]
	ctx := context.Background()
	provider := must(oidc.NewProvider(ctx, issuer))
	config := oauth2.Config{
		ClientID: id, ClientSecret: secret, RedirectURL: redirect,
		Endpoint: provider.Endpoint(), Scopes: []string{oidc.ScopeOpenID, "profile"},
	}
	say(map[string]string{"open": config.AuthCodeURL("state", oidc.Nonce("nonce"))})
	line := must(bufio.NewReader(os.Stdin).ReadString('\n'))
	callback := must(url.Parse(line[:len(line)-1]))
	token := must(config.Exchange(ctx, callback.Query().Get("code")))
	raw, _ := token.Extra("id_token").(string)
	idToken := must(provider.Verifier(&oidc.Config{ClientID: id}).Verify(ctx, raw))
	if idToken.Nonce != "nonce" || idToken.VerifyAccessToken(token.AccessToken) != nil {
		fmt.Fprintln(os.Stderr, "nonce or at_hash")
		os.Exit(1)
	}
	info := must(provider.UserInfo(ctx, oauth2.StaticTokenSource(token)))
	var claims, userinfo map[string]any
	must(0, idToken.Claims(&claims))
	must(0, info.Claims(&userinfo))
	say(map[string]any{"claims": claims, "userinfo": userinfo})
}
