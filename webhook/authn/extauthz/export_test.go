package extauthz

import (
	"context"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"
)

// Check asks with a message of the generated types.
func (s *Server) Check(ctx context.Context, in *authv3.CheckRequest) (*authv3.CheckResponse, error) {
	message, err := proto.Marshal(in)
	if err != nil {
		return nil, err
	}
	return s.CheckBytes(ctx, message)
}

// CheckBytes asks as gRPC does.
func (s *Server) CheckBytes(ctx context.Context, message []byte) (*authv3.CheckResponse, error) {
	answer, err := service.Methods[0].Handler(s, ctx, func(v any) error {
		return codec{}.Unmarshal(mem.BufferSlice{mem.SliceBuffer(message)}, v)
	}, nil)
	if err != nil {
		return nil, err
	}
	data, err := codec{}.Marshal(answer)
	if err != nil {
		return nil, err
	}
	out := &authv3.CheckResponse{}
	return out, proto.Unmarshal(data.Materialize(), out)
}
