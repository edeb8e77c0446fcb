EXPECTED = ["Anna", "Brise", "Cormoran"]
