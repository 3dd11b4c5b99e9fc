"""Outcome and three markers of the 113 patients of Turck et al. (2010), whom pROC publishes as aSAH; each (113,).

Markers are ranks, equal ones equal: an AUC depends on nothing else.
"""

import numpy as np

# In the order of their NDKA concentration: G good, P poor, letters that stand together share one concentration.
_ORDER = (
    "G P G G P P P G G G G G G G G G P G G G G G G P P G G P G GG G P GP G G G G P G G P G G G G G G P P "
    "P G P G G P G G G G G P G GP G G P G G P P G P P G G GP P P G G G P G G G G P P P P G G P G G G P P "
    "P P G G P G P G P G P"
)
_OUTCOMES = _ORDER.split()

POOR = np.array([letter == "P" for together in _OUTCOMES for letter in together])
NDKA = np.array([rank for rank, together in enumerate(_OUTCOMES) for _ in together])
S100B = np.array(
    [
        *(
            10,
            39,
            5,
            27,
            32,
            10,
            17,
            35,
            7,
            4,
            8,
            6,
            4,
            38,
            38,
            5,
            48,
            8,
            3,
            2,
            4,
            6,
            7,
            43,
            20,
            12,
            11,
            43,
            16,
            5,
        ),
        *(
            23,
            8,
            40,
            34,
            7,
            6,
            2,
            13,
            19,
            30,
            12,
            35,
            45,
            1,
            5,
            29,
            13,
            25,
            4,
            24,
            37,
            44,
            4,
            41,
            3,
            4,
            0,
            14,
            5,
            6,
        ),
        *(
            1,
            8,
            7,
            16,
            11,
            42,
            10,
            13,
            13,
            1,
            36,
            47,
            6,
            14,
            28,
            25,
            31,
            6,
            15,
            21,
            32,
            9,
            1,
            1,
            26,
            10,
            7,
            11,
            7,
        ),
        *(5, 4, 8, 22, 36, 11, 12, 18, 12, 7, 7, 4, 6, 11, 4, 33, 7, 46, 6, 26, 2, 5, 10, 49),
    ]
)
WFNS = np.array(
    [
        int(grade)
        for grade in "151454552121151141111114221522415522345224511424225532115212122115214115245521145521332"
        "11222442142122221415151115"
    ]
)
"""Grade of the World Federation of Neurological Surgeons, 1 to 5."""
