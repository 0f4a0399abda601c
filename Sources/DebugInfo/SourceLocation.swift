/// A place in the source that a module was compiled from.
public struct SourceLocation: Hashable, Sendable {
    /// As the compiler was told: relative to `compilationDirectory`, or absolute.
    public var file: String
    /// Where the compiler ran; empty if that is not known.
    public var compilationDirectory: String
    /// From 1 on.
    public var line: Int
    /// From 1 on; 0 if the compiler names no column.
    public var column: Int

    public init(file: String, compilationDirectory: String = "", line: Int, column: Int) {
        self.file = file
        self.compilationDirectory = compilationDirectory
        self.line = line
        self.column = column
    }

    /// The file with the compilation directory before it, unless it is absolute.
    public var path: String {
        file.hasPrefix("/") || compilationDirectory.isEmpty
            ? file : "\(compilationDirectory)/\(file)"
    }
}

extension SourceLocation: CustomStringConvertible {
    /// `trap.c:9:20`, without the column if there is none.
    public var description: String {
        column > 0 ? "\(file):\(line):\(column)" : "\(file):\(line)"
    }
}

/// A function of the source that is running at a place in the code: the function that the code was
/// made for, or one whose body the compiler put into it.
public struct SourceFrame: Hashable, Sendable {
    /// Its name in the source; nil if that is not known.
    public var function: String?
    /// Where in the function: the place itself, or the call of the frame before.
    public var location: SourceLocation?
    /// Whether the function's body is in that of its caller, the next frame.
    public var isInlined: Bool
}

/// A row of the line table: the code from `offset` on, up to the next row, comes from `location`.
public struct LineEntry: Hashable, Sendable {
    /// From the start of the module's file.
    public var offset: Int
    /// Nil for code that comes from no line.
    public var location: SourceLocation?
    /// Whether the compiler recommends the place for a breakpoint: it begins a statement.
    public var isStatement: Bool

    public init(offset: Int, location: SourceLocation?, isStatement: Bool) {
        self.offset = offset
        self.location = location
        self.isStatement = isStatement
    }
}
