// Package controllers is the home of everything that watches and writes:
//
//   - apikey issues keys: the one state machine over an APIKey and its Secret;
//   - protectedapi reports what became of a ProtectedAPI;
//   - feed fills the auth server's keyring from watches;
//   - compile translates the kinds into what internal understands.
package controllers
