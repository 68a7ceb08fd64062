// Package model is the protocol by which keys are issued and replaced, for the model
// checker Spin: rotation.pml and what it includes. Its test searches all states, and
// sees that the search fails as soon as one of the rules is broken. docs/model.md
// says what is modelled, and which code each step stands for.
package model
