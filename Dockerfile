# Gatehouse in a container: one static binary on an empty image.
#
#   docker build -t gatehouse --build-arg VERSION="$(git describe --tags --always --dirty)" .
#   docker run --rm -v "$PWD:/data:ro" gatehouse replay /data/capture.pcap
#
# The user is not root by default, which is all that capture files and the demo
# need. A live capture needs the gateway's own network, and root within the
# container with every capability dropped but those it uses (Docker gives none
# to another user):
#
#   --network host --user 0:0 --cap-drop ALL --cap-add NET_RAW
#
#   NET_RAW               AF_PACKET sockets, promiscuous or not
#   NET_ADMIN             besides, if devices may be quarantined (nftables)
#   BPF PERFMON NET_ADMIN besides, for the eBPF source
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
    go build -trimpath -ldflags "-s -w -X main.version=$VERSION" -o /out/root/usr/bin/gatehouse ./cmd/gatehouse

# What else the empty image needs: the certificates of the public CAs, for sinks
# reached over TLS; a /tmp, where SQLite spills large sorts; and a state folder
# that group 0 may write, since root without DAC_OVERRIDE is an ordinary user.
RUN install -D -m 644 -t /out/root/etc/ssl/certs /etc/ssl/certs/ca-certificates.crt \
 && install -d -m 1777 /out/root/tmp \
 && install -d -m 0770 /out/state/gatehouse

FROM scratch
COPY --from=build /out/root/ /
COPY --from=build --chown=65532:0 /out/state/ /var/lib/
USER 65532:65532
WORKDIR /var/lib/gatehouse
VOLUME /var/lib/gatehouse
ENTRYPOINT ["/usr/bin/gatehouse"]
CMD ["--help"]
