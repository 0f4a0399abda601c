import WasmWASI
import WasmdGuests
import WasmdHTTP

/// How programs answer requests.
public struct ProgramOptions: Sendable {
    /// The limits of a run.
    public var limits = RunLimits()
    /// Bytes of a request's body; longer ones get 413.
    public var bodyLimit = 8 << 20
    /// Programs that run at one time, and requests that wait for one of these places, of all that
    /// share a `ProgramRunner`.
    public var places = RunPlaces(running: 1024, waiting: 1024)
    /// Proxies whose `Forwarded` and `X-Forwarded-` fields are believed.
    public var trustedProxies: [IPNetwork] = []
    /// As `wasmd/1.2`: `SERVER_SOFTWARE`.
    public var software: [UInt8] = Array("wasmd".utf8)
    /// Is told how each run ended that did not end with 0.
    public var report: (@Sendable (RequestHead, RunResult) -> Void)?
    /// Is told of a program that ended well, but printed a malformed header.
    public var reportFault: (@Sendable (RequestHead, RunResult, CGIOutput.Fault) -> Void)?

    public init() {}
}
