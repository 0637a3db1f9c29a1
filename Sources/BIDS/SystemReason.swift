import Foundation

/// Why the system refused, in the words of the system.
package enum SystemReason {
    /// Foundation says “The operation could not be completed”; what lies beneath says what happened.
    package static func of(_ error: any Error) -> String {
        let error = error as NSError
        if error.domain == NSPOSIXErrorDomain { return text(Int32(clamping: error.code)) }
        if let beneath = error.userInfo[NSUnderlyingErrorKey] as? NSError { return of(beneath) }
        switch CocoaError.Code(rawValue: error.code) {
        case .fileNoSuchFile, .fileReadNoSuchFile: return text(ENOENT)
        case .fileReadNoPermission, .fileWriteNoPermission: return text(EACCES)
        case .fileWriteOutOfSpace: return text(ENOSPC)
        case .fileWriteVolumeReadOnly: return text(EROFS)
        case .fileWriteFileExists: return text(EEXIST)
        case .fileReadInapplicableStringEncoding, .fileReadCorruptFile, .fileReadUnknownStringEncoding:
            return "it is not text in UTF-8"
        case .fileReadTooLarge: return text(EFBIG)
        default:
            // Foundation does not say why it could not read, most often a folder.
            if error.domain == NSCocoaErrorDomain, let path = error.userInfo[NSFilePathErrorKey] as? String {
                var isFolder: ObjCBool = false
                if FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue {
                    return text(EISDIR)
                }
            }
            return "the system does not say why"
        }
    }

    private static func text(_ code: Int32) -> String { String(cString: strerror(code)) }
}
