package extauthz

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
)

// keyed is a CheckRequest with n headers that all hold a key, half of them in the
// list.
func keyed(n int) []byte {
	header := protowire.AppendString(protowire.AppendTag(nil, entryName, protowire.BytesType), "authorization")
	header = protowire.AppendString(protowire.AppendTag(header, entryValue, protowire.BytesType), "Bearer bk_live_1")
	var http []byte
	for i := range n {
		if i%2 == 0 {
			http = protowire.AppendBytes(protowire.AppendTag(http, httpHeaders, protowire.BytesType), header)
			continue
		}
		list := protowire.AppendBytes(protowire.AppendTag(nil, headerMapHeaders, protowire.BytesType), header)
		http = protowire.AppendBytes(protowire.AppendTag(http, httpHeaderMap, protowire.BytesType), list)
	}
	request := protowire.AppendBytes(protowire.AppendTag(nil, requestHTTP, protowire.BytesType), http)
	attributes := protowire.AppendBytes(protowire.AppendTag(nil, attributesRequest, protowire.BytesType), request)
	return protowire.AppendBytes(protowire.AppendTag(nil, checkAttributes, protowire.BytesType), attributes)
}

// What is kept for the next request holds nothing of the one before.
func TestEndForgets(t *testing.T) {
	e := new(exchange)
	if !e.message.read(string(keyed(10))) || len(e.message.headers.entries) != 5 || len(e.message.headers.list) != 5 {
		t.Fatal("not read")
	}
	e.request.ForwardedFor = append(e.request.ForwardedFor, "Bearer bk_live_1")
	e.request.Headers = &e.message.headers
	e.begin()
	e.answer.text(1, "an answer")
	answer := e.end()
	if got := string(answer.ReadOnlyData()); got != "\n\x09an answer" {
		t.Errorf("answered %q", got)
	}
	answer.Free()
	for _, left := range []any{
		e.message.headers.entries[:cap(e.message.headers.entries)], e.message.headers.list[:cap(e.message.headers.list)],
		e.request.ForwardedFor[:cap(e.request.ForwardedFor)], e.request, e.message,
	} {
		if strings.Contains(fmt.Sprintf("%+v", left), "bk_live") {
			t.Errorf("left is %+v", left)
		}
	}
	if e.answer.b != nil || e.buffer != nil {
		t.Errorf("left is the answer %q", e.answer.b)
	}
}

// What was read of a message stays as it is when grpc-go uses its buffer again.
func TestTextIsNotWrittenAgain(t *testing.T) {
	pool := mem.NewTieredBufferPool(64, 1<<10, 4<<10, 64<<10)
	for _, n := range []int{0, 1, 100, maxUncopied, maxUncopied + 1, 5000, 60_000} {
		for parts := 1; parts <= 3; parts++ {
			want := strings.Repeat("k", n*parts)
			var data mem.BufferSlice
			for range parts {
				b := pool.Get(n)
				copy(*b, strings.Repeat("k", n))
				data = append(data, mem.NewBuffer(b, pool))
			}
			got := text(data)
			data.Free()
			for range 10 { // whoever gets a buffer next writes into it
				b := pool.Get(n)
				copy(*b, strings.Repeat("x", n))
			}
			if got != want {
				t.Errorf("%d parts of %d bytes were written again", parts, n)
			}
		}
	}
}

// A short message can be a part of a frame that is pooled.
func TestTextOfAFrameIsNotWrittenAgain(t *testing.T) {
	pool := mem.NewTieredBufferPool(4 << 10)
	frame := pool.Get(5 + maxUncopied)
	copy(*frame, strings.Repeat("k", len(*frame)))
	head, rest := mem.SplitUnsafe(mem.NewBuffer(frame, pool), 5)
	got := text(mem.BufferSlice{rest})
	head.Free()
	rest.Free()
	for range 10 {
		b := pool.Get(5 + maxUncopied)
		copy(*b, strings.Repeat("x", len(*b)))
	}
	if want := strings.Repeat("k", maxUncopied); got != want {
		t.Error("it was written again")
	}
}

func TestAppendValues(t *testing.T) {
	h := &headers{}
	for i := range 10 {
		h.list = append(h.list, pair{"x-forwarded-for", fmt.Sprint(i)}, pair{"x-other", "x"})
	}
	want := []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}
	if got := h.appendValues(nil, "x-forwarded-for"); !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	h = &headers{entries: []pair{{"x-forwarded-for", "first"}, {"x-forwarded-for", "1,2"}}}
	if got := h.appendValues(nil, "x-forwarded-for"); !slices.Equal(got, []string{"1,2"}) {
		t.Errorf("got %q", got)
	}
}
