from noisebox import start

start.main()
