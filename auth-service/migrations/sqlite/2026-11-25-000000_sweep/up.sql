-- When expired rows are next swept, in milliseconds since the epoch: whichever replica moves it on has the turn.
INSERT INTO counters (name, value) VALUES ('sweep', 0);
