extension FeatureTable {
    static let texture: [FeatureDefinition] = [
        // MARK: cooccurrence (LFYI)
        .init(.cooccurrence, "cm_joint_max", "GYBY", "glcm_MaximumProbability", "Joint maximum"),
        .init(.cooccurrence, "cm_joint_avg", "60VM", "glcm_JointAverage", "Joint average"),
        .init(.cooccurrence, "cm_joint_var", "UR99", "glcm_SumSquares", "Joint variance"),
        .init(.cooccurrence, "cm_joint_entr", "TU9B", "glcm_JointEntropy", "Joint entropy, bits"),
        .init(.cooccurrence, "cm_diff_avg", "TF7R", "glcm_DifferenceAverage", "Difference average"),
        .init(.cooccurrence, "cm_diff_var", "D3YU", "glcm_DifferenceVariance", "Difference variance"),
        .init(.cooccurrence, "cm_diff_entr", "NTRS", "glcm_DifferenceEntropy", "Difference entropy, bits"),
        .init(.cooccurrence, "cm_sum_avg", "ZGXS", "glcm_SumAverage", "Sum average"),
        .init(.cooccurrence, "cm_sum_var", "OEEB", nil, "Sum variance"),
        .init(.cooccurrence, "cm_sum_entr", "P6QZ", "glcm_SumEntropy", "Sum entropy, bits"),
        .init(.cooccurrence, "cm_energy", "8ZQL", "glcm_JointEnergy", "Angular second moment"),
        .init(.cooccurrence, "cm_contrast", "ACUI", "glcm_Contrast", "Contrast"),
        .init(.cooccurrence, "cm_dissimilarity", "8S9J", nil, "Dissimilarity"),
        .init(.cooccurrence, "cm_inv_diff", "IB1Z", "glcm_Id", "Inverse difference"),
        .init(.cooccurrence, "cm_inv_diff_norm", "NDRX", "glcm_Idn", "Normalised inverse difference"),
        .init(.cooccurrence, "cm_inv_diff_mom", "WF0Z", "glcm_Idm", "Inverse difference moment"),
        .init(.cooccurrence, "cm_inv_diff_mom_norm", "1QCO", "glcm_Idmn", "Normalised inverse difference moment"),
        .init(.cooccurrence, "cm_inv_var", "E8JP", "glcm_InverseVariance", "Inverse variance"),
        .init(.cooccurrence, "cm_corr", "NI2N", "glcm_Correlation", "Correlation"),
        .init(.cooccurrence, "cm_auto_corr", "QWB0", "glcm_Autocorrelation", "Autocorrelation"),
        .init(.cooccurrence, "cm_clust_tend", "DG8W", "glcm_ClusterTendency", "Cluster tendency"),
        .init(.cooccurrence, "cm_clust_shade", "7NFM", "glcm_ClusterShade", "Cluster shade"),
        .init(.cooccurrence, "cm_clust_prom", "AE86", "glcm_ClusterProminence", "Cluster prominence"),
        .init(.cooccurrence, "cm_info_corr1", "R8DG", "glcm_Imc1", "Information correlation 1"),
        .init(.cooccurrence, "cm_info_corr2", "JN9H", "glcm_Imc2", "Information correlation 2"),
        .init(.cooccurrence, "cm_mcc", nil, "glcm_MCC", "Maximal correlation coefficient"),
        // MARK: runLength (TP0I)
        .init(.runLength, "rlm_sre", "22OV", "glrlm_ShortRunEmphasis", "Short runs emphasis"),
        .init(.runLength, "rlm_lre", "W4KF", "glrlm_LongRunEmphasis", "Long runs emphasis"),
        .init(.runLength, "rlm_lgre", "V3SW", "glrlm_LowGrayLevelRunEmphasis", "Low grey level run emphasis"),
        .init(.runLength, "rlm_hgre", "G3QZ", "glrlm_HighGrayLevelRunEmphasis", "High grey level run emphasis"),
        .init(
            .runLength, "rlm_srlge", "HTZT", "glrlm_ShortRunLowGrayLevelEmphasis", "Short run low grey level emphasis"),
        .init(
            .runLength, "rlm_srhge", "GD3A", "glrlm_ShortRunHighGrayLevelEmphasis", "Short run high grey level emphasis"
        ),
        .init(.runLength, "rlm_lrlge", "IVPO", "glrlm_LongRunLowGrayLevelEmphasis", "Long run low grey level emphasis"),
        .init(
            .runLength, "rlm_lrhge", "3KUM", "glrlm_LongRunHighGrayLevelEmphasis", "Long run high grey level emphasis"),
        .init(.runLength, "rlm_glnu", "R5YN", "glrlm_GrayLevelNonUniformity", "Grey level non-uniformity"),
        .init(
            .runLength, "rlm_glnu_norm", "OVBL", "glrlm_GrayLevelNonUniformityNormalized",
            "Normalised grey level non-uniformity"),
        .init(.runLength, "rlm_rlnu", "W92Y", "glrlm_RunLengthNonUniformity", "Run length non-uniformity"),
        .init(
            .runLength, "rlm_rlnu_norm", "IC23", "glrlm_RunLengthNonUniformityNormalized",
            "Normalised run length non-uniformity"),
        .init(.runLength, "rlm_r_perc", "9ZK5", "glrlm_RunPercentage", "Run percentage"),
        .init(.runLength, "rlm_gl_var", "8CE5", "glrlm_GrayLevelVariance", "Grey level variance"),
        .init(.runLength, "rlm_rl_var", "SXLW", "glrlm_RunVariance", "Run length variance"),
        .init(.runLength, "rlm_rl_entr", "HJ9O", "glrlm_RunEntropy", "Run entropy, bits"),
        // MARK: sizeZone (9SAK)
        .init(.sizeZone, "szm_sze", "5QRC", "glszm_SmallAreaEmphasis", "Small zone emphasis"),
        .init(.sizeZone, "szm_lze", "48P8", "glszm_LargeAreaEmphasis", "Large zone emphasis"),
        .init(.sizeZone, "szm_lgze", "XMSY", "glszm_LowGrayLevelZoneEmphasis", "Low grey level zone emphasis"),
        .init(.sizeZone, "szm_hgze", "5GN9", "glszm_HighGrayLevelZoneEmphasis", "High grey level zone emphasis"),
        .init(
            .sizeZone, "szm_szlge", "5RAI", "glszm_SmallAreaLowGrayLevelEmphasis", "Small zone low grey level emphasis"),
        .init(
            .sizeZone, "szm_szhge", "HW1V", "glszm_SmallAreaHighGrayLevelEmphasis",
            "Small zone high grey level emphasis"),
        .init(
            .sizeZone, "szm_lzlge", "YH51", "glszm_LargeAreaLowGrayLevelEmphasis", "Large zone low grey level emphasis"),
        .init(
            .sizeZone, "szm_lzhge", "J17V", "glszm_LargeAreaHighGrayLevelEmphasis",
            "Large zone high grey level emphasis"),
        .init(.sizeZone, "szm_glnu", "JNSA", "glszm_GrayLevelNonUniformity", "Grey level non-uniformity"),
        .init(
            .sizeZone, "szm_glnu_norm", "Y1RO", "glszm_GrayLevelNonUniformityNormalized",
            "Normalised grey level non-uniformity"),
        .init(.sizeZone, "szm_zsnu", "4JP3", "glszm_SizeZoneNonUniformity", "Zone size non-uniformity"),
        .init(
            .sizeZone, "szm_zsnu_norm", "VB3A", "glszm_SizeZoneNonUniformityNormalized",
            "Normalised zone size non-uniformity"),
        .init(.sizeZone, "szm_z_perc", "P30P", "glszm_ZonePercentage", "Zone percentage"),
        .init(.sizeZone, "szm_gl_var", "BYLV", "glszm_GrayLevelVariance", "Grey level variance"),
        .init(.sizeZone, "szm_zs_var", "3NSA", "glszm_ZoneVariance", "Zone size variance"),
        .init(.sizeZone, "szm_zs_entr", "GU8N", "glszm_ZoneEntropy", "Zone size entropy, bits"),
        // MARK: distanceZone (VMDZ)
        .init(.distanceZone, "dzm_sde", "0GBI", nil, "Small distance emphasis"),
        .init(.distanceZone, "dzm_lde", "MB4I", nil, "Large distance emphasis"),
        .init(.distanceZone, "dzm_lgze", "S1RA", nil, "Low grey level zone emphasis"),
        .init(.distanceZone, "dzm_hgze", "K26C", nil, "High grey level zone emphasis"),
        .init(.distanceZone, "dzm_sdlge", "RUVG", nil, "Small distance low grey level emphasis"),
        .init(.distanceZone, "dzm_sdhge", "DKNJ", nil, "Small distance high grey level emphasis"),
        .init(.distanceZone, "dzm_ldlge", "A7WM", nil, "Large distance low grey level emphasis"),
        .init(.distanceZone, "dzm_ldhge", "KLTH", nil, "Large distance high grey level emphasis"),
        .init(.distanceZone, "dzm_glnu", "VFT7", nil, "Grey level non-uniformity"),
        .init(.distanceZone, "dzm_glnu_norm", "7HP3", nil, "Normalised grey level non-uniformity"),
        .init(.distanceZone, "dzm_zdnu", "V294", nil, "Zone distance non-uniformity"),
        .init(.distanceZone, "dzm_zdnu_norm", "IATH", nil, "Normalised zone distance non-uniformity"),
        .init(.distanceZone, "dzm_z_perc", "VIWW", nil, "Zone percentage"),
        .init(.distanceZone, "dzm_gl_var", "QK93", nil, "Grey level variance"),
        .init(.distanceZone, "dzm_zd_var", "7WT1", nil, "Zone distance variance"),
        .init(.distanceZone, "dzm_zd_entr", "GBDU", nil, "Zone distance entropy, bits"),
        // MARK: toneDifference (IPET)
        .init(.toneDifference, "ngt_coarseness", "QCDE", "ngtdm_Coarseness", "Coarseness"),
        .init(.toneDifference, "ngt_contrast", "65HE", "ngtdm_Contrast", "Contrast"),
        .init(.toneDifference, "ngt_busyness", "NQ30", "ngtdm_Busyness", "Busyness"),
        .init(.toneDifference, "ngt_complexity", "HDEZ", "ngtdm_Complexity", "Complexity"),
        .init(.toneDifference, "ngt_strength", "1X9X", "ngtdm_Strength", "Strength"),
        // MARK: dependence (REK0)
        .init(.dependence, "ngl_lde", "SODN", "gldm_SmallDependenceEmphasis", "Low dependence emphasis"),
        .init(.dependence, "ngl_hde", "IMOQ", "gldm_LargeDependenceEmphasis", "High dependence emphasis"),
        .init(.dependence, "ngl_lgce", "TL9H", "gldm_LowGrayLevelEmphasis", "Low grey level count emphasis"),
        .init(.dependence, "ngl_hgce", "OAE7", "gldm_HighGrayLevelEmphasis", "High grey level count emphasis"),
        .init(
            .dependence, "ngl_ldlge", "EQ3F", "gldm_SmallDependenceLowGrayLevelEmphasis",
            "Low dependence low grey level emphasis"),
        .init(
            .dependence, "ngl_ldhge", "JA6D", "gldm_SmallDependenceHighGrayLevelEmphasis",
            "Low dependence high grey level emphasis"),
        .init(
            .dependence, "ngl_hdlge", "NBZI", "gldm_LargeDependenceLowGrayLevelEmphasis",
            "High dependence low grey level emphasis"),
        .init(
            .dependence, "ngl_hdhge", "9QMG", "gldm_LargeDependenceHighGrayLevelEmphasis",
            "High dependence high grey level emphasis"),
        .init(.dependence, "ngl_glnu", "FP8K", "gldm_GrayLevelNonUniformity", "Grey level non-uniformity"),
        .init(.dependence, "ngl_glnu_norm", "5SPA", nil, "Normalised grey level non-uniformity"),
        .init(.dependence, "ngl_dcnu", "Z87G", "gldm_DependenceNonUniformity", "Dependence count non-uniformity"),
        .init(
            .dependence, "ngl_dcnu_norm", "OKJI", "gldm_DependenceNonUniformityNormalized",
            "Normalised dependence count non-uniformity"),
        .init(.dependence, "ngl_dc_perc", "6XV8", nil, "Dependence count percentage"),
        .init(.dependence, "ngl_gl_var", "1PFV", "gldm_GrayLevelVariance", "Grey level variance"),
        .init(.dependence, "ngl_dc_var", "DNX2", "gldm_DependenceVariance", "Dependence count variance"),
        .init(.dependence, "ngl_dc_entr", "FCBV", "gldm_DependenceEntropy", "Dependence count entropy, bits"),
        .init(.dependence, "ngl_dc_energy", "CAS9", nil, "Dependence count energy"),
    ]
}
