/**
 * The outside world, as types: everything nymote needs from a machine, and nothing else.
 *
 * `node.ts` and `bun.ts` are the real thing, `fake.ts` the deterministic one; all three pass the
 * suites in test/suites/. A function takes the seams it uses (`Pick<Runtime, 'clock' | 'udp'>`),
 * never the whole.
 */

/** An address literal and a port; never a host name. */
export type Endpoint = { readonly address: string; readonly port: number };

/** The whole outside world. */
export type Runtime = {
  readonly clock: Clock;
  readonly random: Random;
  readonly crypto: Crypto;
  readonly udp: Udp;
  readonly tcp: Tcp;
  readonly tls: Tls;
  readonly http: Http;
  readonly exec: Exec;
  readonly files: Files;
  readonly log: Log;
  /** Bytes of memory that the machine has, or a control group lets us have of it. */
  readonly memoryBytes: number;
  /** Absent where there are no native calls at all; opening it may still fail. */
  readonly batchUdp?: OpenBatchUdp;
};

/** Two clocks: one to date things with, one to measure with. */
export type Clock = {
  /** Seconds since 1970, with a fraction. Meaningless while `isSet()` is false. */
  now(): number;
  /** Milliseconds since some start; never goes back. */
  monotonic(): number;
  /** Tells whether the wall clock has been set: routers boot without a date. */
  isSet(): boolean;
  /** Resolves after `milliseconds`; rejects with the signal's reason when aborted. */
  sleep(milliseconds: number, signal?: AbortSignal): Promise<void>;
  /** Calls `callback` once after `milliseconds` unless cancelled; does not keep the process alive. */
  after(milliseconds: number, callback: () => void): Cancel;
};

export type Cancel = () => void;

/** `length` unpredictable bytes. */
export type Random = (length: number) => Uint8Array;

/** A datagram socket factory. */
export type Udp = {
  /** Binds `local` (port 0: any). Fails with RuntimeError 'address-in-use' | 'denied' | 'unreachable'. */
  bind(local: Endpoint, receive: (data: Uint8Array, from: Endpoint) => void): Promise<UdpSocket>;
  /** What this machine's interfaces have; absent or undefined where that cannot be told. */
  addresses?(): readonly LocalAddress[] | undefined;
};

/** An address to bind, with its zone where it needs one (RFC 4007 §11), and then the number of the interface. */
export type LocalAddress = { readonly address: string; readonly link: number };

export type UdpSocket = AsyncDisposable & {
  readonly local: Endpoint;
  /** Sends and forgets; a datagram that cannot be sent is lost, as on the wire. */
  send(data: Uint8Array, to: Endpoint): void;
};

/** Loads what is needed for datagrams by the batch; a string says why that cannot be had here. */
export type OpenBatchUdp = () => Promise<BatchUdp | string>;

/** Datagrams by the batch, received by threads of our own that share memory with us. */
export type BatchUdp = {
  /** Threads there will be: one for each processor that is ours. */
  readonly threads: number;
  readonly routeBytes: number;
  /** The clock of `BatchIo.now`. */
  now(): number;
  /** Binds `local` for every thread. Fails as `Udp.bind` does. */
  bind(local: Endpoint): Promise<BatchSocket>;
  /**
   * Starts the threads. Each runs `serveBatches` of `module` until it is told to end; one that fails
   * is started again. `hear` is called with the thread and what it rang.
   */
  start(
    sockets: readonly BatchSocket[],
    serving: {
      readonly module: URL;
      readonly shared: SharedArrayBuffer;
      readonly hear: (thread: number, sound: number) => void;
    },
  ): BatchThreads;
};

export type BatchSocket = {
  readonly local: Endpoint;
  /** What the kernel calls the socket of each thread. */
  readonly handles: readonly number[];
  /** Sends `data` back on the route that `BatchIo.copyRoute` wrote down. */
  send(data: Uint8Array, route: Uint8Array): void;
  close(): void;
};

export type BatchThreads = {
  readonly restarts: number;
  stop(): Promise<void>;
};

/** What a thread has in hands: datagram `i` of a batch lies at `i * stride` in `received`. */
export type BatchIo = {
  readonly thread: number;
  readonly shared: SharedArrayBuffer;
  readonly stride: number;
  readonly received: Uint8Array;
  /** Senders as the kernel has them (sockaddr_in, sockaddr_in6), eight words for each datagram. */
  readonly senders: Uint32Array;
  /** Where replies are written, `stride` for each, and the same as words. */
  readonly replies: Uint8Array;
  readonly replyWords: Int32Array;
  /** Waits for datagrams; how many came, or -1 when the thread is to end. */
  receive(): number;
  lengthOf(datagram: number): number;
  /** Addresses the `reply`-th reply, of `length`, to the sender of `datagram`. */
  put(reply: number, datagram: number, length: number): void;
  /** Sends the first `count` replies. */
  flush(count: number): void;
  /** Which of the sockets the batch came from. */
  socket(): number;
  readonly routeBytes: number;
  /** Writes down how a reply gets back, for `BatchSocket.send`. */
  copyRoute(datagram: number, into: Uint8Array, at: number): void;
  /** Seconds since some start, the same for all threads. */
  now(): number;
  /** Has the main thread hear `sound`. */
  ring(sound: number): void;
};

/** Stream sockets, over TCP or a unix socket (`{ path }`). */
export type Tcp = {
  listen(local: Endpoint | Path, accept: (connection: Connection) => void): Promise<Listener>;
  /** Fails with RuntimeError 'refused' | 'unreachable' | 'timeout' | 'not-found' | 'denied'. */
  connect(
    remote: Endpoint | Path,
    options?: { readonly timeoutMs?: number; readonly localAddress?: string },
  ): Promise<Connection>;
};

export type Path = { readonly path: string };

export type Listener = AsyncDisposable & { readonly local: Endpoint | Path };

export type Connection = AsyncDisposable & {
  readonly remote: Endpoint | Path;
  /** The bytes that arrive, in chunks of any size; ends when the other side ends. */
  received(): AsyncIterable<Uint8Array>;
  /** Resolves when the bytes were handed to the kernel (back-pressure). */
  write(data: Uint8Array): Promise<void>;
  /** Closes at once, unsent bytes are lost. */
  abort(): void;
};

/** Whom we want at the other end, by name (PKIX), by key, or by both; and how we go there. */
export type SecureOptions = {
  /** The name, or address, in its certificate, which an authority known to this machine has signed. */
  readonly name?: string;
  /** SHA-256 of keys (SubjectPublicKeyInfo) in base64, one of which must be the server's. */
  readonly pins?: readonly string[];
  readonly timeoutMs?: number;
  readonly localAddress?: string;
};

/** Streams under TLS 1.2 or later. */
export type Tls = {
  /** Fails as `Tcp.connect` does, and with 'untrusted' when somebody else is there. */
  connect(
    remote: Endpoint,
    options: SecureOptions & { readonly protocols: readonly string[] },
  ): Promise<Connection>;
  /**
   * Listens for clients that speak one of `protocols` (ALPN, RFC 7301); who offers others is turned
   * away, who offers none is accepted with undefined. Handshakes are bounded in time and number.
   * Fails as `Tcp.listen` does, and with 'bad-key' when the credentials are of no use.
   */
  listen(
    local: Endpoint,
    options: { readonly credentials: Credentials; readonly protocols: readonly string[] },
    accept: (connection: Connection, protocol: string | undefined) => void,
  ): Promise<SecureListener>;
};

/** A certificate, those of its issuers after it, and its private key; all PEM (RFC 7468). */
export type Credentials = { readonly certificate: string; readonly key: string };

export type SecureListener = Listener & {
  /** Holds from the next handshake on. Throws RuntimeError 'bad-key', and then nothing changed. */
  replaceCredentials(credentials: Credentials): void;
};

/** An HTTP/2 connection; many requests at once. */
export type HttpSession = AsyncDisposable & {
  readonly isOpen: boolean;
  /** Of the answer's headers only `content-type` is kept. Fails with 'io' when it breaks off. */
  fetch(request: Request): Promise<Response>;
};

/** How many connections a server holds, where a household's are not enough. */
export type ConnectionRoom = {
  readonly connections: number;
  readonly perSource: number;
  /** What one connection under TLS may leave unread of its answers, and for how long; unlimited unless told. */
  readonly unread?: { readonly octets: number; readonly milliseconds: number };
};

/** HTTP with the web's Request and Response. */
export type Http = {
  /** HTTP/2 over TLS; fails as `Tls.connect` does. As with `fetch`, the system finds a host's name. */
  connect(remote: Endpoint, options: SecureOptions): Promise<HttpSession>;
  listen(
    local: Endpoint | Path,
    handle: (request: Request, from: Endpoint | Path) => Response | Promise<Response>,
    room?: ConnectionRoom,
  ): Promise<Listener>;
  /** HTTP/2 and HTTP/1.1 over TLS; fails as `Tls.listen` does. */
  listenSecurely(
    local: Endpoint,
    credentials: Credentials,
    handle: (request: Request, from: Endpoint | Path) => Response | Promise<Response>,
    room?: ConnectionRoom,
  ): Promise<SecureListener>;
  /** Over TCP, or over the unix socket `options.path`. Fails as `Tcp.connect` does. */
  fetch(
    request: Request,
    options?: { readonly path?: string; readonly timeoutMs?: number },
  ): Promise<Response>;
};

/** Runs programs: an argument list, never a shell. Secrets go in by file, never by argument (I2). */
export type Exec = (
  file: string,
  args: readonly string[],
  options?: {
    readonly stdin?: Uint8Array;
    readonly env?: Readonly<Record<string, string>>;
    readonly timeoutMs?: number;
  },
) => Promise<ExecResult>;

/** A program that is missing fails with RuntimeError 'not-found'; one that fails is a result. */
export type ExecResult = {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
};

/** Files, with durability spelled out. A missing file reads as undefined. */
export type Files = {
  read(path: string): Promise<Uint8Array | undefined>;
  /**
   * Replaces the whole file so that a crash leaves the old or the new content (I7): temporary file,
   * fsync, rename, fsync of the directory. `mode` defaults to 0o644; use 0o600 for secrets.
   */
  replace(path: string, data: Uint8Array, mode?: number): Promise<void>;
  /** Opens a file for appending, created with mode 0o600 when missing. */
  openAppend(path: string): Promise<AppendFile>;
  /** Names in a directory, sorted; empty when the directory is missing. */
  list(directory: string): Promise<readonly string[]>;
  remove(path: string): Promise<void>;
  /** Creates the directory and its parents. */
  makeDirectory(path: string, mode?: number): Promise<void>;
  /** Runs `use` with the path of a 0600 file on memory (tmpfs) that holds `data`; always removed. */
  withSecretFile<T>(data: Uint8Array, use: (path: string) => Promise<T>): Promise<T>;
};

export type AppendFile = AsyncDisposable & {
  readonly size: number;
  /** Reads `length` bytes at `offset`; fewer at the end. */
  read(offset: number, length: number): Promise<Uint8Array>;
  /** Appends and makes durable: one write, one fdatasync. */
  append(data: Uint8Array): Promise<void>;
  /** Cuts the file to `size` and makes that durable. */
  truncate(size: number): Promise<void>;
};

export type LogLevel = 'error' | 'warn' | 'info' | 'debug';

/** `event` is a fixed kebab-case word; names and addresses of people only at 'debug'. */
export type Log = (
  level: LogLevel,
  event: string,
  fields?: Readonly<Record<string, string | number | boolean | undefined>>,
) => void;

/** The algorithms of DNSSEC that we sign or validate with (RFC 8624), and of our own records. */
export type SignatureAlgorithm =
  | 'rsa-sha1'
  | 'rsa-sha256'
  | 'rsa-sha512'
  | 'ecdsa-p256'
  | 'ecdsa-p384'
  | 'ed25519'
  | 'ed448';

export type HashAlgorithm = 'sha1' | 'sha256' | 'sha384' | 'sha512';

/**
 * Keys and digests, synchronous on the hot path.
 *
 * Public keys: RSA as RFC 3110 bytes (exponent length, exponent, modulus); ECDSA as x‖y;
 * Ed25519, Ed448 and X25519 raw. Signatures: ECDSA as r‖s. Private keys are PKCS#8 DER.
 */
export type Crypto = {
  hash(algorithm: HashAlgorithm, data: Uint8Array): Uint8Array;
  hmac(algorithm: HashAlgorithm, key: Uint8Array, data: Uint8Array): Uint8Array;
  /** Makes a key pair for signing. */
  generateSigningKey(algorithm: 'ecdsa-p256' | 'ed25519'): Promise<KeyPair>;
  /** Imports a private key once; the returned signer holds it. Throws RuntimeError 'bad-key'. */
  signer(algorithm: 'ecdsa-p256' | 'ed25519', privateKey: Uint8Array): Signer;
  /** Tells whether `signature` is right. Bytes that are no key or no signature are just false. */
  verify(
    algorithm: SignatureAlgorithm,
    publicKey: Uint8Array,
    data: Uint8Array,
    signature: Uint8Array,
  ): boolean;
  /** The same, while the main thread goes on with something else; for what costs much. */
  verifyElsewhere(
    algorithm: SignatureAlgorithm,
    publicKey: Uint8Array,
    data: Uint8Array,
    signature: Uint8Array,
  ): Promise<boolean>;
  /** An X25519 pair as raw 32-byte keys, as WireGuard has them. */
  generateAgreementKey(): KeyPair;
  /** The raw X25519 public key of a raw private key. */
  agreementPublicKey(privateKey: Uint8Array): Uint8Array;
  /** X25519 of raw keys: 32 bytes. Undefined for a bad or low-order public key. */
  agree(privateKey: Uint8Array, publicKey: Uint8Array): Uint8Array | undefined;
  /** HKDF-SHA-256 (RFC 5869). */
  hkdf(secret: Uint8Array, salt: Uint8Array, info: string, length: number): Uint8Array;
  /** AES-256-GCM: ciphertext ‖ 16-byte tag. `nonce` is 12 bytes. */
  seal(key: Uint8Array, nonce: Uint8Array, plain: Uint8Array, associated: Uint8Array): Uint8Array;
  /** The plaintext, or undefined when anything does not fit. */
  open(
    key: Uint8Array,
    nonce: Uint8Array,
    sealed: Uint8Array,
    associated: Uint8Array,
  ): Uint8Array | undefined;
};

export type KeyPair = { readonly publicKey: Uint8Array; readonly privateKey: Uint8Array };

export type Signer = {
  readonly publicKey: Uint8Array;
  sign(data: Uint8Array): Uint8Array;
};

export type RuntimeErrorCode =
  | 'address-in-use'
  | 'denied'
  | 'refused'
  | 'unreachable'
  | 'timeout'
  | 'not-found'
  | 'no-space'
  | 'io'
  | 'untrusted'
  | 'bad-key';

/** What the world can do to us. Adapters translate every errno to one of the codes. */
export class RuntimeError extends Error {
  override readonly name = 'RuntimeError';
  readonly code: RuntimeErrorCode;

  constructor(code: RuntimeErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}
