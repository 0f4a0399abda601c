import WasmDecoder

extension Cancellation {
    /// Ends what is not finished at an instant.
    public static func after(_ deadline: ContinuousClock.Instant) -> Cancellation {
        Cancellation { .now >= deadline }
    }
}
