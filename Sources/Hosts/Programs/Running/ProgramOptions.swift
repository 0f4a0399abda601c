import WasmWASI
import WasmdGuests
import WasmdHTTP

/// How programs answer requests.
public struct ProgramOptions: Sendable {
    /// The limits of a run.
    public var limits = GuestProgram.Limits()
    /// Bytes of a request's body; longer ones get 413.
    public var bodyLimit = 8 << 20
    /// Programs that run at one time, of all that share a `ProgramRunner`.
    public var runLimit = 1024
    /// Proxies whose `Forwarded` and `X-Forwarded-` fields are believed.
    public var trustedProxies: [IPNetwork] = []
    /// As `wasmd/1.2`: `SERVER_SOFTWARE`.
    public var software: [UInt8] = Array("wasmd".utf8)
    /// Is told how each run ended that did not end with 0.
    public var report: (@Sendable (RequestHead, GuestProgram.Outcome) -> Void)?

    public init() {}
}
