// Command fetch gets every part that tests and the development cluster use and
// prints where each one is. It fails only with CI=true.
package main
