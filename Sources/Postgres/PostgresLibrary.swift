import CLibpq

/// The library under this module.
package enum PostgresLibrary {
    /// e.g. `15.8`.
    package static var version: String {
        let number = Int(PQlibVersion())
        return "\(number / 10_000).\(number % 10_000)"
    }
}
