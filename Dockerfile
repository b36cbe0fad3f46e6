# Gatehouse in a container: one static binary on an empty image.
#
#   docker build -t gatehouse --build-arg VERSION="$(git describe --tags --always --dirty)" .
#   docker run --rm -v "$PWD:/data:ro" gatehouse replay /data/capture.pcap
#
# The user is not root by default, which is all that files and the demo need.
# A live capture needs the gateway's own network and two capabilities, given to
# root in the container, since an empty image has no setcap:
#
#   --network host --user 0:0 --cap-drop ALL --cap-add NET_RAW
#
#   NET_RAW        open an AF_PACKET socket
#   NET_ADMIN      only if the interface must be made promiscuous or devices may
#                  be quarantined (nftables)
#   BPF, PERFMON   only for the eBPF source
#
# Keep the Go release equal to the one in go.mod: a test holds it.

FROM --platform=$BUILDPLATFORM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=unknown
ARG TARGETOS
ARG TARGETARCH
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -ldflags "-s -w -X main.version=$VERSION" -o /out/gatehouse ./cmd/gatehouse \
 && mkdir -p /out/state /out/tmp

FROM scratch
# Certificates of the public CAs, for sinks reached over TLS.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/gatehouse /usr/bin/gatehouse
COPY --from=build --chown=65532:65532 /out/state /var/lib/gatehouse
# An empty image has no /tmp, and SQLite spills large sorts there.
COPY --from=build --chown=65532:65532 /out/tmp /tmp
USER 65532:65532
WORKDIR /var/lib/gatehouse
VOLUME /var/lib/gatehouse
ENTRYPOINT ["/usr/bin/gatehouse"]
CMD ["--help"]
