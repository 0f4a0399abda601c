/// How large a text may be; more is refused with an error.
public enum TextLimits {
    /// Bytes of a text: 2 GiB. Positions are kept in 32 bits.
    public static let bytes = Int(Int32.max)
    /// Depth of blocks and of instructions in parentheses.
    public static let nesting = 250_000
    /// Depth of `(either ...)` in the expected results of a script.
    static let patternNesting = 16
}
