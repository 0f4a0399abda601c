/// The version and target of this wasmd.
enum Version {
    static let number = "0.1.0"

    /// `wasmd 0.1.0 (x86_64, linux)`
    static var text: String { "wasmd \(number) (\(architecture), linux)\n" }

    private static var architecture: String {
        #if arch(x86_64)
            "x86_64"
        #elseif arch(arm64)
            "aarch64"
        #else
            "unknown"
        #endif
    }
}
