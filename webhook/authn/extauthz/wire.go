package extauthz

import "google.golang.org/protobuf/encoding/protowire"

// This file is all that knows the wire format of protobuf. Of a CheckRequest only
// what a decision needs is read, and of the rest only how long it is: decoding all of
// it takes most of the time of a server that does. What the generated types accept is
// read here as they read it (reference_test.go): the last of a repeated scalar counts,
// messages merge, fields of another type are skipped, and of a oneof the last is set.

// Numbers of fields, as in envoy/service/auth/v3 and envoy/config/core/v3.
const (
	checkAttributes = 1 // CheckRequest

	attributesSource, attributesRequest, attributesExtensions = 1, 4, 10 // AttributeContext

	peerAddress                                 = 1       // AttributeContext.Peer
	addressSocket, addressPipe, addressInternal = 1, 2, 3 // core.Address, a oneof
	socketAddress                               = 2       // core.SocketAddress

	requestHTTP = 2 // AttributeContext.Request

	httpMethod, httpHeaders, httpPath, httpHost, httpScheme, httpHeaderMap = 2, 3, 4, 5, 6, 13 // AttributeContext.HttpRequest

	headerMapHeaders      = 1    // core.HeaderMap
	entryName, entryValue = 1, 2 // of a map
	headerValueRaw        = 3    // core.HeaderValue, otherwise as an entry of a map
)

const (
	// maxDepth bounds groups within groups, as the generated types do.
	maxDepth = 10_000
	// maxVarint bytes hold 64 bits, and maxLastByte is what the last of them may be.
	maxVarint, maxLastByte = 10, 1
)

// pair is an entry of a map, or a header of a list.
type pair struct{ name, value string }

// message is what a decision needs of a CheckRequest. Its strings are parts of the
// text that it was read from.
type message struct {
	method, path, host, scheme, source string

	headers    headers
	extensions []pair
}

// headers are the request's, as a map or, with encode_raw_headers, as a list.
// Envoy writes names in lower case.
type headers struct{ entries, list []pair }

// Value implements auth.Headers.
func (h *headers) Value(name string, i int) (string, bool) {
	if len(h.list) == 0 {
		if i > 0 {
			return "", false
		}
		return lastOf(h.entries, name)
	}
	for j := range h.list {
		if h.list[j].name != name {
			continue
		}
		if i == 0 {
			return h.list[j].value, true
		}
		i--
	}
	return "", false
}

// appendValues appends all values of a header, in one pass: whoever reaches the
// listener can send thousands.
func (h *headers) appendValues(to []string, name string) []string {
	if len(h.list) == 0 {
		if v, ok := lastOf(h.entries, name); ok {
			to = append(to, v)
		}
		return to
	}
	for i := range h.list {
		if h.list[i].name == name {
			to = append(to, h.list[i].value)
		}
	}
	return to
}

// lastOf looks up an entry of a map, of which the last counts.
func lastOf(entries []pair, name string) (string, bool) {
	for i := len(entries) - 1; i >= 0; i-- {
		if entries[i].name == name {
			return entries[i].value, true
		}
	}
	return "", false
}

// read adds a CheckRequest to an empty message, and reports whether it is one, as
// far as it was read.
func (m *message) read(s string) bool { return only(checkAttributes, s, m.readAttributes) }

func (m *message) readAttributes(s string) bool {
	f := fields{rest: s}
	for f.next() {
		switch f.number {
		case attributesSource:
			f.check(m.readPeer(f.value))
		case attributesRequest:
			f.check(m.readRequest(f.value))
		case attributesExtensions:
			f.check(readEntry(f.value, &m.extensions))
		default:
		}
	}
	return !f.broken
}

func (m *message) readPeer(s string) bool { return only(peerAddress, s, m.readAddress) }

func (m *message) readAddress(s string) bool {
	f := fields{rest: s}
	for f.next() {
		switch f.number {
		case addressSocket:
			f.check(m.readSocket(f.value))
		case addressPipe, addressInternal:
			m.source = ""
		default:
		}
	}
	return !f.broken
}

func (m *message) readSocket(s string) bool {
	return only(socketAddress, s, func(v string) bool { m.source = v; return true })
}

func (m *message) readRequest(s string) bool { return only(requestHTTP, s, m.readHTTP) }

func (m *message) readHTTP(s string) bool {
	f := fields{rest: s}
	for f.next() {
		switch f.number {
		case httpMethod:
			m.method = f.value
		case httpPath:
			m.path = f.value
		case httpHost:
			m.host = f.value
		case httpScheme:
			m.scheme = f.value
		case httpHeaders:
			f.check(readEntry(f.value, &m.headers.entries))
		case httpHeaderMap:
			f.check(m.readHeaderMap(f.value))
		default:
		}
	}
	return !f.broken
}

func (m *message) readHeaderMap(s string) bool { return only(headerMapHeaders, s, m.readHeader) }

// readHeader takes the raw value, where there is one.
func (m *message) readHeader(s string) bool {
	p, raw, ok := readPair(s)
	if raw != "" {
		p.value = raw
	}
	m.headers.list = append(m.headers.list, p)
	return ok
}

// readEntry reads an entry of a map, which has no raw value.
func readEntry(s string, to *[]pair) bool {
	p, _, ok := readPair(s)
	*to = append(*to, p)
	return ok
}

func readPair(s string) (p pair, raw string, ok bool) {
	f := fields{rest: s}
	for f.next() {
		switch f.number {
		case entryName:
			p.name = f.value
		case entryValue:
			p.value = f.value
		case headerValueRaw:
			raw = f.value
		default:
		}
	}
	return p, raw, !f.broken
}

// only reads what a message has in one field.
func only(number protowire.Number, s string, read func(string) bool) bool {
	f := fields{rest: s}
	for f.next() {
		if f.number == number {
			f.check(read(f.value))
		}
	}
	return !f.broken
}

// fields goes through the fields of a message that have a length: strings, bytes
// and messages, which are all that we read. Others are skipped.
type fields struct {
	rest   string
	number protowire.Number
	value  string
	broken bool
}

func (f *fields) next() bool {
	for len(f.rest) > 0 && !f.broken {
		// Nearly all numbers and lengths are of one byte.
		if s := f.rest; len(s) > 1 && s[0] >= 1<<3 && s[0]&0x87 == byte(protowire.BytesType) && s[1] < 0x80 && len(s)-2 >= int(s[1]) {
			end := 2 + int(s[1])
			f.number, f.value, f.rest = protowire.Number(s[0]>>3), s[2:end], s[end:]
			return true
		}
		number, kind, ok := f.tag()
		switch {
		case ok && kind == protowire.BytesType:
			f.number = number
			f.value, ok = f.bytes()
			f.broken = !ok
			return ok
		case !ok || !f.skip(number, kind, maxDepth):
			f.broken = true
		}
	}
	return false
}

// check ends at a field that could not be read.
func (f *fields) check(ok bool) { f.broken = f.broken || !ok }

func (f *fields) tag() (protowire.Number, protowire.Type, bool) {
	tag, ok := f.varint()
	number := tag >> 3
	if !ok || number < uint64(protowire.MinValidNumber) || number > uint64(protowire.MaxValidNumber) {
		return 0, 0, false
	}
	return protowire.Number(number), protowire.Type(tag & 7), true
}

func (f *fields) varint() (uint64, bool) {
	if len(f.rest) > 0 && f.rest[0] < 0x80 {
		v := f.rest[0]
		f.rest = f.rest[1:]
		return uint64(v), true
	}
	var v uint64
	for i := 0; i < len(f.rest) && i < maxVarint; i++ {
		c := f.rest[i]
		v |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			f.rest = f.rest[i+1:]
			return v, i+1 < maxVarint || c <= maxLastByte
		}
	}
	return 0, false
}

func (f *fields) bytes() (string, bool) {
	size, ok := f.varint()
	if !ok || size > uint64(len(f.rest)) {
		return "", false
	}
	v := f.rest[:size]
	f.rest = f.rest[size:]
	return v, true
}

// skip skips the value of a field.
func (f *fields) skip(number protowire.Number, kind protowire.Type, depth int) bool {
	ok := false
	switch kind {
	case protowire.VarintType:
		_, ok = f.varint()
	case protowire.Fixed32Type:
		ok = f.drop(4)
	case protowire.Fixed64Type:
		ok = f.drop(8)
	case protowire.BytesType:
		_, ok = f.bytes()
	case protowire.StartGroupType:
		ok = f.skipGroup(number, depth-1)
	case protowire.EndGroupType: // of no group
	default:
	}
	return ok
}

func (f *fields) skipGroup(number protowire.Number, depth int) bool {
	for depth >= 0 && len(f.rest) > 0 {
		n, kind, ok := f.tag()
		if ok && kind == protowire.EndGroupType {
			return n == number
		}
		if !ok || !f.skip(n, kind, depth) {
			return false
		}
	}
	return false
}

func (f *fields) drop(n int) bool {
	if len(f.rest) < n {
		return false
	}
	f.rest = f.rest[n:]
	return true
}

// writer writes a message.
type writer struct{ b []byte }

// open begins a message in a field, and returns where it ends until close.
func (w *writer) open(number protowire.Number) (start int) {
	w.b = append(protowire.AppendTag(w.b, number, protowire.BytesType), 0)
	return len(w.b)
}

// close ends the message that began at start: writes its length before it.
func (w *writer) close(start int) {
	size := uint64(len(w.b) - start)
	if size < 0x80 {
		w.b[start-1] = byte(size)
		return
	}
	var room [maxVarint]byte
	more := protowire.SizeVarint(size) - 1 // one byte is there
	w.b = append(w.b, room[:more]...)
	copy(w.b[start+more:], w.b[start:])
	protowire.AppendVarint(w.b[:start-1], size)
}

func (w *writer) text(number protowire.Number, s string) {
	w.b = protowire.AppendString(protowire.AppendTag(w.b, number, protowire.BytesType), s)
}

func (w *writer) number(number protowire.Number, n uint64) {
	w.b = protowire.AppendVarint(protowire.AppendTag(w.b, number, protowire.VarintType), n)
}
