// The five-character codes PostgreSQL gives every error (PostgreSQL manual, appendix A).

/// An SQLSTATE: two characters of class, three of condition.
package struct SQLState: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    package let rawValue: String

    package init(rawValue: String) {
        self.rawValue = rawValue
    }

    /// The first two characters, such as "23" for a violated constraint.
    package var classCode: String { String(rawValue.prefix(2)) }

    package var description: String { rawValue }

    package static let uniqueViolation = SQLState(rawValue: "23505")
    package static let foreignKeyViolation = SQLState(rawValue: "23503")
    package static let notNullViolation = SQLState(rawValue: "23502")
    package static let checkViolation = SQLState(rawValue: "23514")
    package static let exclusionViolation = SQLState(rawValue: "23P01")
    package static let serializationFailure = SQLState(rawValue: "40001")
    package static let deadlockDetected = SQLState(rawValue: "40P01")
    package static let lockNotAvailable = SQLState(rawValue: "55P03")
    package static let queryCanceled = SQLState(rawValue: "57014")
    package static let adminShutdown = SQLState(rawValue: "57P01")
    package static let crashShutdown = SQLState(rawValue: "57P02")
    package static let cannotConnectNow = SQLState(rawValue: "57P03")
    package static let databaseDropped = SQLState(rawValue: "57P04")
    package static let idleSessionTimeout = SQLState(rawValue: "57P05")
    package static let diskFull = SQLState(rawValue: "53100")
    package static let outOfMemory = SQLState(rawValue: "53200")
    package static let tooManyConnections = SQLState(rawValue: "53300")
    package static let invalidCatalogName = SQLState(rawValue: "3D000")
    package static let invalidStatementName = SQLState(rawValue: "26000")
    package static let featureNotSupported = SQLState(rawValue: "0A000")
    package static let undefinedTable = SQLState(rawValue: "42P01")
    package static let insufficientPrivilege = SQLState(rawValue: "42501")
    package static let readOnlyTransaction = SQLState(rawValue: "25006")
    package static let syntaxError = SQLState(rawValue: "42601")

    /// The transaction lost against another one and has done nothing: running it again is the cure.
    package var asksForRetry: Bool { self == .serializationFailure || self == .deadlockDetected }

    /// The server ends this connection with the error.
    package var endsConnection: Bool {
        [.adminShutdown, .crashShutdown, .cannotConnectNow, .databaseDropped, .idleSessionTimeout].contains(self)
            || classCode == "08"
    }

    /// What an operator can do, when the code alone says so.
    var remedy: String? {
        switch self {
        case .diskFull: "Free space on the disk of the database server."
        case .outOfMemory: "Give the database server more memory, or lower its work_mem."
        case .tooManyConnections: "Raise max_connections of the server, or stop other programs that use it."
        case .insufficientPrivilege: "Connect as a role that owns the qsmflow tables, or grant it the right."
        case .readOnlyTransaction: "Connect to the primary server: this one is a read-only replica."
        case .lockNotAvailable: "Another session holds the lock; run it again when that session has ended."
        default: nil
        }
    }
}
