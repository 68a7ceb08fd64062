package extauthz

import (
	"context"
	"errors"
	"sync"
	"unsafe"

	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"

	"github.com/apikey-operator/apikey-operator/internal/auth"
)

// maxKept is how many headers an exchange may hold and still be used again: one large
// request shall not take up memory for good.
const maxKept = 128

// maxUncopied is the length up to which a message isn't copied, in bytes. Most that
// are as short are not from a pool of grpc-go's; from there a longer one would keep
// more than it is long.
const maxUncopied = 1024

// answerSize is more than most answers need, in bytes.
const answerSize = 4096

// exchange is a request and its answer: the memory that one decision works on.
type exchange struct {
	message message
	broken  bool // what was sent is no message
	request auth.Request
	answer  writer
	buffer  *[]byte // of answer, from answers
}

var (
	exchanges = sync.Pool{New: func() any { return new(exchange) }}
	answers   = mem.DefaultBufferPool()
)

// begin makes room for the answer.
func (e *exchange) begin() {
	e.buffer = answers.Get(answerSize)
	e.answer.b = (*e.buffer)[:0]
}

// end returns the answer, which is freed once it is sent, forgets the request, which
// holds a key, and lets its memory be used again.
func (e *exchange) end() mem.Buffer {
	*e.buffer = e.answer.b
	answer := mem.NewBuffer(e.buffer, answers)
	m, forwarded := &e.message, e.request.ForwardedFor
	if max(cap(m.headers.entries), cap(m.headers.list), cap(m.extensions), cap(forwarded)) > maxKept {
		return answer
	}
	clear(m.headers.entries)
	clear(m.headers.list)
	clear(m.extensions)
	clear(forwarded)
	*e = exchange{
		message: message{headers: headers{m.headers.entries[:0], m.headers.list[:0]}, extensions: m.extensions[:0]},
		request: auth.Request{ForwardedFor: forwarded[:0]},
	}
	exchanges.Put(e)
	return answer
}

// codec hands messages through: it reads what a decision needs of a CheckRequest,
// and the answer is bytes already.
type codec struct{}

var (
	_ encoding.CodecV2 = codec{}

	errOtherMessage = errors.New("ext_authz has no other messages")
)

// Name implements encoding.CodecV2.
func (codec) Name() string { return "proto" }

// Unmarshal implements encoding.CodecV2. What isn't a CheckRequest is judged, too: an
// error would be one of gRPC.
func (codec) Unmarshal(data mem.BufferSlice, v any) error {
	e, ok := v.(*exchange)
	if !ok {
		return errOtherMessage
	}
	e.broken = !e.message.read(text(data))
	return nil
}

// Marshal implements encoding.CodecV2.
func (codec) Marshal(v any) (mem.BufferSlice, error) {
	e, ok := v.(*exchange)
	if !ok {
		return nil, errOtherMessage
	}
	return mem.BufferSlice{e.end()}, nil
}

// text is what was sent. Strings that are read are parts of it: nothing is ever
// written there again.
func text(data mem.BufferSlice) string {
	var b []byte
	if len(data) == 1 && data.Len() <= maxUncopied {
		data.Ref() // and never freed: no pool gets it back
		b = data[0].ReadOnlyData()
	} else {
		b = data.Materialize() // a copy
	}
	return unsafe.String(unsafe.SliceData(b), len(b)) //nolint:gosec // see above
}

// service is envoy.service.auth.v3.Authorization with messages of our own.
var service = grpc.ServiceDesc{
	ServiceName: "envoy.service.auth.v3.Authorization",
	HandlerType: (*checker)(nil),
	Methods: []grpc.MethodDesc{{MethodName: "Check", Handler: func(server any, ctx context.Context, read func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
		e, _ := exchanges.Get().(*exchange)
		if err := read(e); err != nil {
			return nil, err
		}
		server.(checker).check(ctx, e)
		return e, nil
	}}},
	Metadata: "envoy/service/auth/v3/external_auth.proto",
}

type checker interface {
	check(ctx context.Context, e *exchange)
}
