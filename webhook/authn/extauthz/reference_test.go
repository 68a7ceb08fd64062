package extauthz

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// told is all that can be read of a CheckRequest.
type told struct {
	Method, Path, Host, Scheme, Source string
	Extensions                         map[string]string
	Headers                            map[string][]string
}

// reference reads a CheckRequest with the generated types.
func reference(in *authv3.CheckRequest) told {
	http := in.GetAttributes().GetRequest().GetHttp()
	out := told{
		Method: http.GetMethod(), Path: http.GetPath(), Host: http.GetHost(), Scheme: http.GetScheme(),
		Source:     in.GetAttributes().GetSource().GetAddress().GetSocketAddress().GetAddress(),
		Extensions: map[string]string{}, Headers: map[string][]string{},
	}
	maps.Copy(out.Extensions, in.GetAttributes().GetContextExtensions())
	list := http.GetHeaderMap().GetHeaders()
	for _, f := range list {
		value := f.GetValue()
		if raw := f.GetRawValue(); len(raw) > 0 {
			value = string(raw)
		}
		out.Headers[f.GetKey()] = append(out.Headers[f.GetKey()], value)
	}
	if len(list) == 0 {
		for name, value := range http.GetHeaders() {
			out.Headers[name] = []string{value}
		}
	}
	return out
}

// told is what a message says when it is asked as a decision asks it.
func (m *message) told() told {
	out := told{
		Method: m.method, Path: m.path, Host: m.host, Scheme: m.scheme, Source: m.source,
		Extensions: map[string]string{}, Headers: map[string][]string{},
	}
	for _, e := range m.extensions {
		out.Extensions[e.name], _ = lastOf(m.extensions, e.name)
	}
	for _, h := range slices.Concat(m.headers.entries, m.headers.list) {
		var values []string
		for v, ok := m.headers.Value(h.name, 0); ok; v, ok = m.headers.Value(h.name, len(values)) {
			values = append(values, v)
		}
		if values != nil {
			out.Headers[h.name] = values
		}
	}
	return out
}

// compare checks that what the generated types accept is read as they read it. They
// refuse more: what is wrong within parts that no decision needs, and texts that
// aren't UTF-8, of which each check makes what it makes of other bytes.
func compare(t *testing.T, sent []byte) (accepted bool) {
	t.Helper()
	in := &authv3.CheckRequest{}
	err := proto.Unmarshal(sent, in)
	var m message
	if read := m.read(string(sent)); !read {
		if err == nil {
			t.Errorf("refused what the generated types accept: %x\n%v", sent, in)
		}
		return false
	}
	if err != nil {
		return false
	}
	if got, want := m.told(), reference(in); !reflect.DeepEqual(got, want) {
		t.Errorf("message %x\n got %q\nwant %q", sent, got, want)
	}
	return true
}

// grammar makes messages that no library would write, of the fields that are read
// and of others.
type grammar struct{ *rand.Rand }

// field is a field of bytes with its number; nested ones are made by a function.
type field struct {
	number protowire.Number
	make   func() []byte
}

func (g grammar) word() []byte {
	words := []string{"", "a", "GET", "https", "x-api-key", "x-forwarded-for", "authorization", "Bearer bk_live_1", "203.0.113.7", "api", "apis/billoget", "/v1?x=1", "é"}
	return []byte(words[g.IntN(len(words))])
}

// of makes a message: some of its fields, in any order and number, among noise.
func (g grammar) of(fields ...field) []byte {
	var b []byte
	for range g.IntN(2 * (len(fields) + 1)) {
		f := fields[g.IntN(len(fields))]
		if g.IntN(8) == 0 {
			b = g.noise(b, f.number)
			continue
		}
		b = protowire.AppendTag(b, f.number, protowire.BytesType)
		b = g.bytes(b, f.make())
	}
	return b
}

// bytes appends with a length that is at times longer than need be.
func (g grammar) bytes(b, v []byte) []byte {
	if n := len(v); g.IntN(8) == 0 && n < 0x80 {
		return append(append(b, byte(n)|0x80, 0x80, 0), v...)
	}
	return protowire.AppendBytes(b, v)
}

// noise appends a field of another number or another type, or what is wrong.
func (g grammar) noise(b []byte, known protowire.Number) []byte {
	number := known
	if g.IntN(2) == 0 {
		number = protowire.Number(1 + g.IntN(20_000))
	}
	switch g.IntN(7) {
	case 0:
		return protowire.AppendVarint(protowire.AppendTag(b, number, protowire.VarintType), g.Uint64())
	case 1:
		return protowire.AppendFixed32(protowire.AppendTag(b, number, protowire.Fixed32Type), g.Uint32())
	case 2:
		return protowire.AppendFixed64(protowire.AppendTag(b, number, protowire.Fixed64Type), g.Uint64())
	case 3:
		b = protowire.AppendTag(b, number, protowire.StartGroupType)
		if g.IntN(2) == 0 {
			b = g.noise(b, known)
		}
		return protowire.AppendTag(b, number, protowire.EndGroupType)
	case 4:
		return protowire.AppendBytes(protowire.AppendTag(b, 19_000, protowire.BytesType), g.word())
	case 5:
		if g.IntN(20) > 0 {
			return b
		}
		return append(b, [][]byte{{0}, {0x0c}, {0xff}, {0x0a, 0xff}, {0x0b, 0x14}, {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x02}, {7}}[g.IntN(7)]...)
	default:
		return b
	}
}

func (g grammar) check() []byte {
	text := func(number protowire.Number) field { return field{number, g.word} }
	entry := func() []byte { return g.of(text(1), text(2)) }
	header := func() []byte { return g.of(text(1), text(2), text(3)) }
	socket := func() []byte { return g.of(text(2), text(6)) }
	address := func() []byte {
		return g.of(field{1, socket}, field{1, socket}, field{1, socket}, field{2, func() []byte { return g.of(text(1)) }}, field{3, func() []byte { return g.of(text(1)) }})
	}
	peer := func() []byte { return g.of(field{1, address}, text(2), field{3, entry}) }
	http := func() []byte {
		return g.of(text(1), text(2), field{3, entry}, field{3, entry}, text(4), text(5), text(6), text(11), text(12), field{13, func() []byte { return g.of(field{1, header}) }})
	}
	request := func() []byte { return g.of(field{2, http}) }
	attributes := func() []byte { return g.of(field{1, peer}, field{2, peer}, field{4, request}, field{10, entry}) }
	return g.of(field{1, attributes})
}

// What strangers send is read as the generated types read it: repeated, merged,
// split, of other types, with lengths as no library writes them.
func TestReadsAsTheGeneratedTypesDo(t *testing.T) {
	seed := rand.Uint64()
	g := grammar{rand.New(rand.NewPCG(seed, 6))}
	accepted, rich := 0, 0
	for range 20_000 {
		sent := g.check()
		if compare(t, sent) {
			accepted++
			if len(sent) > 100 {
				rich++
			}
		}
		if len(sent) > 0 { // and cut anywhere
			compare(t, sent[:g.IntN(len(sent))])
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	if accepted < 10_000 || rich < 2_000 {
		t.Errorf("only %d messages are good, %d of them with something in them", accepted, rich)
	}
}

func FuzzRead(f *testing.F) {
	g := grammar{rand.New(rand.NewPCG(1, 6))}
	for range 200 {
		f.Add(g.check())
	}
	f.Fuzz(func(t *testing.T, sent []byte) { compare(t, sent) })
}

// A message in a message in a message costs neither time that grows faster than its
// length nor the stack.
func TestDeepGroups(t *testing.T) {
	for depth, want := range map[int]bool{1: true, 9_999: true, 100_000: false} {
		var b []byte
		for range depth {
			b = protowire.AppendTag(b, 99, protowire.StartGroupType)
		}
		for range depth {
			b = protowire.AppendTag(b, 99, protowire.EndGroupType)
		}
		if got := new(message).read(string(b)); got != want {
			t.Errorf("%d groups in each other: read %v, want %v", depth, got, want)
		}
		if err := proto.Unmarshal(b, &authv3.CheckRequest{}); (err == nil) != want {
			t.Errorf("%d groups in each other: the generated types say %v", depth, err)
		}
	}
}

// What is written is what the generated types would be given, whatever the lengths.
func TestWriter(t *testing.T) {
	for _, n := range []int{0, 1, 100, 118, 119, 120, 127, 128, 129, 16_370, 16_383, 16_384, 70_000} {
		value := string(slices.Repeat([]byte{'v'}, n))
		want := &corev3.HeaderValueOption{Header: &corev3.HeaderValue{Key: "x", Value: value}, AppendAction: corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD}
		w := writer{b: []byte("before")}
		start := w.open(1)
		w.text(1, "x")
		at := w.open(2)
		w.b = append(w.b, value...)
		w.close(at)
		w.close(start)
		w.number(3, overwrite)
		got := &corev3.HeaderValueOption{}
		if err := proto.Unmarshal(w.b[len("before"):], got); err != nil || !proto.Equal(got, want) {
			t.Errorf("%d bytes: got %v, %v", n, fmt.Sprint(got)[:20], err)
		}
	}
}

// What is written at once is what any message is written as, wherever lengths grow.
func TestShortFieldsAreAsLongOnes(t *testing.T) {
	for n := range 300 {
		value := string(slices.Repeat([]byte{'v'}, n))
		var short, long writer
		short.header(okHeaders, "x-apikey-name", value)
		option, header := long.openHeader(okHeaders, "x-apikey-name")
		long.text(entryValue, value)
		long.closeHeader(option, header)
		short.field("namespace", value)
		f, v := long.openField("namespace")
		long.text(valueString, value)
		long.closeField(f, v)
		if !slices.Equal(short.b, long.b) {
			t.Errorf("%d bytes:\n got %x\nwant %x", n, short.b, long.b)
		}
	}
}
