import Glibc

/// How a terminal passes on what is typed: termios(3).
public struct TerminalMode: @unchecked Sendable {
    private let descriptor: Int32
    private let before: termios

    /// Lets each key reach the process at once, without echo and without signals; nil if the
    /// descriptor is no terminal. `restore` undoes it.
    public static func raw(_ descriptor: Int32) -> TerminalMode? {
        var settings = termios()
        guard unsafe tcgetattr(descriptor, &settings) == 0 else { return nil }
        let mode = TerminalMode(descriptor: descriptor, before: settings)
        settings.c_lflag &= ~tcflag_t(ICANON | ECHO | ISIG | IEXTEN)
        settings.c_iflag &= ~tcflag_t(IXON | ICRNL | INLCR | ISTRIP)
        guard unsafe tcsetattr(descriptor, TCSADRAIN, &settings) == 0 else { return nil }
        return mode
    }

    /// Makes the terminal as it was.
    public func restore() {
        var settings = before
        unsafe tcsetattr(descriptor, TCSADRAIN, &settings)
    }
}

extension Kernel {
    /// Rows and columns of a terminal: TIOCGWINSZ of ioctl_tty(2). Nil for what is none, and for
    /// one that does not know.
    public static func terminalSize(_ descriptor: Int32) -> (rows: Int, columns: Int)? {
        var size = winsize()
        let result = unsafe withUnsafeMutablePointer(to: &size) { size in
            symbol_syscall(
                Int(SYS_ioctl), Int(descriptor), Int(TIOCGWINSZ), Int(bitPattern: size),
                0, 0, 0)
        }
        guard result == 0, size.ws_row > 0, size.ws_col > 0 else { return nil }
        return (Int(size.ws_row), Int(size.ws_col))
    }
}
