/**
 * What the page may load and talk to, wherever it is served from: the helper sends
 * it as a header, the build writes it into the page for hosts that send none.
 * Nothing but its own origin, and the sockets of peers. `frame-ancestors` works in
 * headers only and is added there.
 */
export const PAGE_POLICY: string = [
  "default-src 'none'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "worker-src 'self' blob:",
  "style-src 'self'",
  "img-src 'self' data: blob:",
  "font-src 'self'",
  "media-src 'self' blob:",
  "manifest-src 'self'",
  "connect-src 'self' ws: wss: blob: data:",
  "base-uri 'none'",
  "form-action 'none'",
].join('; ')
