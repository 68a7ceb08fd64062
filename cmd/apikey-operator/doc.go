// Command apikey-operator is the one program of the project:
//
//	apikey-operator controller   issues keys (the write side, one leader)
//	apikey-operator authserver   authenticates traffic (the read side, any number)
//	apikey-operator all          both in one process
//
// This package turns flags into structs and wires them; it decides nothing.
package main
