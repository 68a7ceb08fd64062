package main

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"

	"github.com/apikey-operator/apikey-operator/internal/key"
)

// What differs from key to key has a place of fixed length in the template, marked by
// a text that is nowhere else in it.
const (
	numberMark  = "@NUMBER"                                                          // of seven digits
	teamMark    = "@T"                                                               // of two digits
	versionMark = "@VERSION"                                                         // a resourceVersion of eight digits
	hintMark    = "@HNT"                                                             // the four characters of the key that may be shown
	digestMark  = "@DIGEST@@DIGEST@@DIGEST@@DIGEST@@DIGEST@@DIGEST@@DIGEST@@DIGEST@" // in hexadecimal digits
)

// template is an object in JSON with places to fill.
type template struct {
	text   []byte
	places []place
}

type place struct {
	at   int
	mark string
}

// filling is what an object has in these places.
type filling struct {
	number, version int
	hint            [len(hintMark)]byte
	digest          key.Digest
}

func newTemplate(text []byte) *template {
	t := &template{text: slices.Clone(text)}
	for _, mark := range []string{digestMark, numberMark, teamMark, versionMark, hintMark} {
		for at := 0; ; at += len(mark) {
			next := bytes.Index(t.text[at:], []byte(mark))
			if next < 0 {
				break
			}
			at += next
			t.places = append(t.places, place{at: at, mark: mark})
		}
	}
	return t
}

// appendTo appends the object.
func (t *template) appendTo(out []byte, f *filling) []byte {
	start := len(out)
	out = append(out, t.text...)
	for _, p := range t.places {
		hole := out[start+p.at:][:len(p.mark)]
		switch p.mark {
		case numberMark:
			digits(hole, f.number)
		case teamMark:
			digits(hole, teamOf(f.number))
		case versionMark:
			digits(hole, f.version)
		case hintMark:
			copy(hole, f.hint[:])
		default:
			hex.Encode(hole, f.digest[:])
		}
	}
	return out
}

// digits writes a number with zeros in front.
func digits(to []byte, n int) {
	for i := len(to) - 1; i >= 0; i-- {
		to[i] = '0' + byte(n%10)
		n /= 10
	}
}

// teams are the namespaces that have keys.
const teams = 100

func teamOf(number int) int { return number % teams }

func teamName(team int) string { return fmt.Sprintf("team-%02d", team) }

// revision is a resourceVersion as text.
func revision(n int) string { return strconv.Itoa(n) }
